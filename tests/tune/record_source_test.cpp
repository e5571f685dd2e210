#include "lib/tune/measure/record_source.h"

#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "tests/support/temp_dir.h"

namespace mlq::tune {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kS = 1'000 * kMs;

std::string bare(int64_t t, int64_t latency, const char* more = "") {
  return fmt::format("{{\"t_ns\":{},\"latency_ns\":{}{}}}", t, latency, more);
}

// Lines that are there already and have an end.
class ListedLines final : public Lines {
 public:
  explicit ListedLines(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  bool take(std::string& line, int64_t) override {
    if (ended()) return false;
    line = lines_[next_++];
    return true;
  }
  bool ended() const override { return next_ == lines_.size(); }

 private:
  std::vector<std::string> lines_;
  size_t next_ = 0;
};

RecordSource source(std::vector<std::string> lines, const char* slo = "", MetricLabels labels = {}) {
  RecordOptions options;
  options.where = "records";
  options.labels = std::move(labels);
  return RecordSource(options, Objective::parse("latency", slo),
                      std::make_unique<ListedLines>(std::move(lines)));
}

// 100 a second of 5 ms, for 20 s.
std::vector<std::string> steady() {
  std::vector<std::string> lines;
  for (int64_t k = 0; k < 2000; ++k) lines.push_back(bare(k * 10 * kMs, 5 * kMs));
  return lines;
}

TEST(Records, AWindowIsTheAnswersThatCameInItsTime) {
  StopFlag stop;
  RecordSource s = source(steady());
  const Window w = s.measure({.settle_ns = kS, .length_ns = 4 * kS}, {}, stop);
  EXPECT_EQ(w.outcome, "ok");
  EXPECT_NEAR(static_cast<double>(w.ok), 400, 1);
  EXPECT_EQ(w.window_ns, 4 * kS);
  EXPECT_EQ(w.latency_mean_ns, 5 * kMs);
  EXPECT_FALSE(w.ended);
  const Window next = s.measure({.length_ns = 4 * kS}, {}, stop);
  EXPECT_NEAR(static_cast<double>(next.ok), 400, 1);
}

TEST(Records, TheEndOfTheStreamEndsTheWindow) {
  StopFlag stop;
  RecordSource s = source(steady());
  const Window w = s.measure({.length_ns = 60 * kS}, {}, stop);
  EXPECT_TRUE(w.ended);
  EXPECT_EQ(w.ok, 2000u);
  const Window none = s.measure({.length_ns = 60 * kS}, {}, stop);
  EXPECT_EQ(none.outcome, "void");
  EXPECT_TRUE(none.ended);
}

TEST(Records, BareLinesMayFailAndNameTheirGeneration) {
  StopFlag stop;
  RecordSource s = source({bare(0, kMs, ",\"gen\":7"), bare(1, kMs, ",\"gen\":\"8\""), bare(2, kMs),
                           bare(3, kMs, ",\"ok\":false,\"gen\":8")});
  const Window w = s.measure({.requests = 10, .gen = "8"}, {}, stop);
  EXPECT_EQ(w.ok, 2u);
  EXPECT_EQ(w.errors, 1u);
  EXPECT_EQ(w.discarded, 1u);
}

TEST(Records, ResultsAndRequestsOfOurOwnProgramsAreTaken) {
  const Objective objective = Objective::parse("latency", "p99<=2ms");
  jsonl::ObjectParser parser;
  const auto read = [&](const char* text, MetricLabels labels = {}) {
    return read_record_line(text, objective, labels, parser);
  };
  const RecordLine ok =
      read(R"({"type":"result","i":1,"outcome":"ok","due_ns":100,"latency_ns":1000000,"gen":"4"})");
  EXPECT_EQ(ok.kind, RecordLine::Kind::request);
  EXPECT_EQ(ok.done_ns, 1'000'100);
  EXPECT_TRUE(ok.sample.good);
  EXPECT_EQ(ok.gen, "4");
  const RecordLine late =
      read(R"({"type":"result","i":1,"outcome":"total_timeout","due_ns":0,"latency_ns":5000000})");
  EXPECT_EQ(late.sample.kind, Sample::Kind::censored);
  const char* request =
      R"({"type":"request","t_ns":5,"model":"m","request_id":"x","gen_admitted":7,"gen":8,"rows":1,"code":200,)"
      R"("latency_ns":3000000,"good":true,"attempts":1})";
  const RecordLine served = read(request);
  EXPECT_EQ(served.kind, RecordLine::Kind::request);
  EXPECT_EQ(served.gen, "7-8");
  EXPECT_FALSE(served.sample.good);  // 3 ms
  EXPECT_EQ(read(request, {{"model", "n"}}).kind, RecordLine::Kind::none);
  EXPECT_EQ(read(R"({"type":"knob_change","t_ns":1})").kind, RecordLine::Kind::none);
  for (const char* bad : {"{", "[]", R"({"t_ns":1})", R"({"t_ns":-1,"latency_ns":5})",
                          R"({"t_ns":9223372036854775807,"latency_ns":5})", R"({"type":5})",
                          R"({"type":"result","outcome":"??","i":0,"due_ns":0})"})
    EXPECT_EQ(read(bad).kind, RecordLine::Kind::bad) << bad;
}

TEST(Records, WindowsOfAServerAreBatches) {
  std::vector<std::string> lines;
  for (int64_t k = 0; k < 10; ++k) {
    lines.push_back(fmt::format(
        R"({{"type":"serve_window","t_ns":{},"model":"m","gen":3,"window_ns":1000000000,"requests":100,"ok":99,)"
        R"("good":98,"shed":1,"failed":0,"defaulted":0,"rate_per_s":100,"good_per_s":98,)"
        R"("latency_p50_ns":5000000,"latency_p99_ns":{},"batches":50,"target_rows":4,"inflight":1}})",
        k * kS, k % 2 == 0 ? 10'000'000 : 40'000'000));
  }
  StopFlag stop;
  RecordSource s = source(lines, "p99<=50ms");
  const Window w = s.measure({.length_ns = 10 * kS, .gen = "3"}, {}, stop);
  EXPECT_EQ(w.requests, 1000u);
  EXPECT_EQ(w.errors, 10u);
  EXPECT_NEAR(*w.stat_ns, 20.0 * kMs, 10);  // the geometric mean
  EXPECT_NEAR(*w.attain, 0.98, 1e-9);
  EXPECT_NEAR(*w.y_var, 1.3863 * 1.3863 / 4 * 10 / 9 / 10, 1e-3);
}

TEST(Records, AFewBadLinesAreCountedAndMoreThanAHundredthEndTheRun) {
  StopFlag stop;
  std::vector<std::string> lines = steady();
  for (size_t k = 0; k < 15; ++k) lines[k * 130 + 100] = "no json";
  RecordSource some = source(lines);
  EXPECT_NO_THROW(some.measure({.length_ns = 60 * kS}, {}, stop));
  for (size_t k = 0; k < 60; ++k) lines[k * 30 + 101] = "no json";
  RecordSource many = source(lines);
  try {
    many.measure({.length_ns = 60 * kS}, {}, stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    EXPECT_NE(std::string(error.what()).find("no json"), std::string::npos);
  }
  RecordSource short_one = source({bare(0, 1), "x"});
  EXPECT_THROW(short_one.measure({.length_ns = kS}, {}, stop), Error);
}

TEST(Records, TheWatchLooksEveryHalfSecondOfTheStream) {
  StopFlag stop;
  RecordSource s = source(steady());
  int looks = 0;
  const Window w = s.measure({.length_ns = 20 * kS}, {[&](const Window&) -> std::optional<std::string> {
                               return ++looks == 6 ? std::optional<std::string>("guard") : std::nullopt;
                             }},
                             stop);
  EXPECT_EQ(w.aborted, "guard");
  EXPECT_NEAR(static_cast<double>(w.window_ns), 3.0 * kS, 0.1 * kS);
}

TEST(LineQueue, DropsTheOldestAndCountsIt) {
  LineQueue queue(3);
  for (int k = 0; k < 5; ++k) queue.put(std::to_string(k));
  queue.end();
  std::string line, all;
  while (queue.take(line, 0)) all += line;
  EXPECT_EQ(all, "234");
  EXPECT_EQ(queue.dropped(), 2u);
  EXPECT_TRUE(queue.ended());
}

TEST(LineQueue, AFailureComesBehindTheLines) {
  LineQueue queue;
  queue.put("a");
  queue.end(std::make_exception_ptr(environment_error("gone")));
  std::string line;
  EXPECT_TRUE(queue.take(line, 0));
  EXPECT_THROW(queue.take(line, 0), Error);
}

// Waits for a line as long as it takes; a broken follower fails by the test's time limit.
std::string next_line(Lines& lines) {
  std::string line;
  while (!lines.take(line, 10 * kMs) && !lines.ended()) {
  }
  return line;
}

TEST(FollowedLines, GoOnWhereTheFileGrowsAndBeginAnewWhereItWasReplaced) {
  test::TempDir folder;
  const std::string path = folder.file("a.jsonl", "one\n");
  StopFlag stop;
  const auto lines = open_lines(path, true, stop);
  EXPECT_EQ(next_line(*lines), "one");
  std::ofstream(path, std::ios::app) << "two\n";
  EXPECT_EQ(next_line(*lines), "two");
  const std::string other = folder.file("b.jsonl", "three\n");
  ASSERT_EQ(std::rename(other.c_str(), path.c_str()), 0);
  EXPECT_EQ(next_line(*lines), "three");
}

TEST(FollowedLines, APlainFileIsReadToItsEnd) {
  test::TempDir folder;
  StopFlag stop;
  const auto lines = open_lines(folder.file("a.jsonl", "one\ntwo"), false, stop);
  EXPECT_EQ(next_line(*lines), "one");
  EXPECT_EQ(next_line(*lines), "two");
  EXPECT_EQ(next_line(*lines), "");
  EXPECT_TRUE(lines->ended());
  EXPECT_THROW(open_lines(folder / "none", true, stop), Error);
}

}  // namespace
}  // namespace mlq::tune
