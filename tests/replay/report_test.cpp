#include "lib/replay/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "lib/base/error.h"
#include "tests/replay/shard_files.h"

namespace mlq::replay {
namespace {

std::vector<records::Result> results(size_t n = 1200) {
  return synthetic_results({.n = n, .bad_of_1024 = 40});
}

std::string report_text(const Report& report, const test::TempDir& dir) {
  const std::string path = dir / "report.jsonl";
  records::Writer writer(Output::open(path), true);
  write_report(report, {}, writer);
  return test::slurp(path);
}

std::string failure(const std::vector<std::string>& files, const ReportOptions& options) {
  try {
    make_report(files, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

const std::vector<std::string> kTotals = {"hist", "outcome", "summary"};

TEST(Report, WithNothingAskedForIsTheRunsOwnTotals) {
  const test::TempDir dir;
  for (const bool with_results : {true, false}) {
    const auto files = shard_files(results(), 1, dir, {.results = with_results});
    const std::string text = report_text(make_report(files, {}), dir);
    const std::vector<std::string> types = {"load_window", "hist", "outcome", "summary"};
    EXPECT_EQ(lines_of(text, types), lines_of(test::slurp(files[0]), types));
  }
}

TEST(Report, FromResultsAloneIsTheSameAsFromHistograms) {
  const test::TempDir dir;
  const auto files = shard_files(results(), 1, dir);
  // Another window makes it go to the results; the totals must not change by it.
  const Report report = make_report(files, {.windows = WindowOptions{.window_ns = 2'000'000'000}});
  EXPECT_EQ(lines_of(report_text(report, dir), kTotals), lines_of(test::slurp(files[0]), kTotals));
}

TEST(Report, WindowsAreThoseThatTheRunWouldHaveWritten) {
  const test::TempDir dir;
  const auto all = results();
  for (const WindowOptions& windows :
       {WindowOptions{.window_ns = 700'000'000}, WindowOptions{.window_n = 77}}) {
    auto plain = all;
    for (auto& r : plain) r.tpot_ns.reset();  // no gaps: results do not hold them
    const auto files = shard_files(plain, 1, dir, {.windows = windows});
    const Report report = make_report(files, {.windows = windows});
    EXPECT_EQ(lines_of(report_text(report, dir), {"load_window"}),
              lines_of(test::slurp(files[0]), {"load_window"}));
  }
}

TEST(Report, AnotherObjectiveIsJudgedAnew) {
  const test::TempDir dir;
  const auto all = results();
  const auto files = shard_files(all, 1, dir, {.slo = "latency<=100ms"});
  const Report strict = make_report(files, {.slo = "latency<=2ms && attain>=0.9"});
  uint64_t good = 0;
  for (const auto& r : all) good += r.outcome == "ok" && r.latency_ns <= 2'000'000;
  EXPECT_EQ(strict.summaries.front().good, good);
  EXPECT_EQ(strict.summaries.front().slo_pass, false);
  EXPECT_EQ(strict.slo_text, "latency<=2ms && attain>=0.9");
}

TEST(Report, AnotherAggregateTermNeedsNoResults) {
  const test::TempDir dir;
  const auto files = shard_files(results(), 1, dir, {.slo = "latency<=100ms", .results = false});
  EXPECT_EQ(make_report(files, {.slo = "latency<=100ms && p50<=1h"}).summaries.front().slo_pass, true);
  EXPECT_NE(failure(files, {.slo = "latency<=99ms"}).find("no result records"), std::string::npos);
}

TEST(Report, OfASliceIsOfItsRequestsAlone) {
  const test::TempDir dir;
  const auto all = results();
  const auto files = shard_files(all, 1, dir);
  const auto count = [&](auto&& in) { return std::count_if(all.begin(), all.end(), in); };
  const auto planned = [&](const ReportOptions& o) {
    return static_cast<long>(make_report(files, o).summaries.front().planned);
  };
  EXPECT_EQ(planned({.klass = "a"}), count([](const auto& r) { return r.klass == "a"; }));
  EXPECT_EQ(planned({.from_ns = 2'000'000'000, .to_ns = 5'000'000'000}),
            count([](const auto& r) { return r.due_ns >= 2'000'000'000 && r.due_ns < 5'000'000'000; }));
  EXPECT_EQ(planned({.outcomes = {Outcome::http_5xx, Outcome::reset}}),
            count([](const auto& r) { return r.outcome == "http_5xx" || r.outcome == "reset"; }));
  EXPECT_NE(failure(files, {.klass = "nobody"}).find("nothing is left"), std::string::npos);
  EXPECT_FALSE(make_report(files, {.klass = "a"}).summaries.front().inflight_ns);
}

TEST(Report, ASliceHasNoGapsUnlessTheResultsHoldThem) {
  const test::TempDir dir;
  auto all = results();
  const ReportOptions slice{.from_ns = 0};
  const Report without = make_report(shard_files(all, 1, dir), slice);
  EXPECT_FALSE(without.summaries.front().itl.p50);
  EXPECT_NE(without.summaries.front().note->find("--itl full"), std::string::npos);
  for (auto& r : all) {
    if (r.tpot_ns) r.itl_ns = synthetic_gaps(r);
  }
  const auto files = shard_files(all, 1, dir);
  const Report with = make_report(files, slice);
  EXPECT_EQ(with.summaries.front().itl.p99, make_report(files, {}).summaries.front().itl.p99);
}

TEST(Report, RefusesResultsThatAreNotAll) {
  const test::TempDir dir;
  const auto files = shard_files(results(), 1, dir);
  const std::string text = test::slurp(files[0]);
  const size_t first = text.find("{\"type\":\"result\"");
  const size_t second = text.find("{\"type\":\"result\"", first + 1);
  const std::string fewer = dir.file("fewer.jsonl", text.substr(0, first) + text.substr(second));
  EXPECT_EQ(failure({fewer}, {}), "");
  EXPECT_NE(failure({fewer}, {.from_ns = 0}).find("1199 requests of 1200"), std::string::npos);
}

TEST(Report, LeavesTheWarmUpOutUnlessAskedForIt) {
  const test::TempDir dir;
  const auto all = results();
  const auto files = shard_files(all, 1, dir, {.warmup_ns = 3'000'000'000});
  const auto behind =
      std::count_if(all.begin(), all.end(), [](const auto& r) { return r.due_ns >= 3'000'000'000; });
  const ReportOptions windowed{.windows = WindowOptions{.window_ns = 1'000'000'000}};
  EXPECT_EQ(make_report(files, windowed).summaries.front().planned, static_cast<uint64_t>(behind));
  EXPECT_EQ(make_report(files, {.from_ns = 0}).summaries.front().planned, all.size());
}

TEST(Report, TakesPlainRecordsWithoutARun) {
  const test::TempDir dir;
  const std::string file =
      dir.file("plain.jsonl",
               R"({"type":"result","i":0,"outcome":"ok","due_ns":0,"send_ns":1,"last_ns":11}
{"type":"result","i":1,"outcome":"ok","due_ns":1000000000,"send_ns":1000000000,"last_ns":1000000021}
)");
  const Report report = make_report({file}, {.slo = "latency<=20ns"});
  const records::Summary& s = report.summaries.front();
  EXPECT_EQ(s.planned, 2u);
  EXPECT_EQ(s.good, 1u);
  EXPECT_EQ(s.latency.max, 21);
  EXPECT_EQ(s.to_ns, 1'000'000'000);
  EXPECT_EQ(s.drain_ns, 21);
  EXPECT_NE(failure({dir.file("none.jsonl", "")}, {}), "");
}

TEST(ReportText, MarkdownHasTheTablesAndTheVerdict) {
  const test::TempDir dir;
  const std::string text = report_markdown(make_report(shard_files(results(), 1, dir), {}));
  EXPECT_NE(text.find("| latency |"), std::string::npos);
  EXPECT_NE(text.find("| http_5xx |"), std::string::npos);
  EXPECT_NE(text.find("**Not valid:** dropped"), std::string::npos) << text;
  EXPECT_NE(text.find("Objective `p99<=200ms && latency<=100ms && attain>=0.5`"), std::string::npos);
}

TEST(ReportText, CsvHasAsManyCellsInEveryLine) {
  const test::TempDir dir;
  const std::string text = report_csv(make_report(shard_files(results(), 1, dir), {}));
  std::istringstream lines(text);
  std::string line;
  std::vector<size_t> cells;
  while (std::getline(lines, line)) {
    bool quoted = false;
    size_t n = 1;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      n += c == ',' && !quoted ? 1 : 0;
    }
    cells.push_back(n);
  }
  EXPECT_GT(cells.size(), 10u);
  EXPECT_EQ(std::count(cells.begin(), cells.end(), cells.front()), static_cast<long>(cells.size()));
}

Report report_of_latencies(const std::vector<int64_t>& ms, size_t dropped) {
  Report report;
  uint64_t i = 0;
  for (const int64_t v : ms) report.accounts.add(ok_result(i++, 0, 0, v * 1'000'000), {});
  for (size_t k = 0; k < dropped; ++k) report.accounts.add(failed_result(i++, 0, Outcome::dropped_cap), {});
  return report;
}

TEST(ReportText, HgrmHasTheClassicForm) {
  std::vector<int64_t> ms;
  for (int64_t v = 1; v <= 100; ++v) ms.push_back(v);
  const std::string text = report_hgrm(report_of_latencies(ms, 0));
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "       Value     Percentile TotalCount 1/(1-Percentile)");
  std::getline(lines, line);
  EXPECT_EQ(line, "");
  double value = 0, percentile = 0, last = -1;
  uint64_t count = 0;
  size_t rows = 0;
  while (std::getline(lines, line) && line[0] != '#') {
    std::istringstream(line) >> value >> percentile >> count;
    EXPECT_GT(percentile, last);
    last = percentile;
    EXPECT_NEAR(value, std::max(1.0, std::ceil(percentile * 100 - 1e-9)), 0.4 / 100 * value);
    ++rows;
  }
  EXPECT_GT(rows, 30u);
  EXPECT_EQ(percentile, 1);
  EXPECT_EQ(count, 100u);
  EXPECT_TRUE(line.starts_with("#[Mean    =    50.500000, StdDeviation   =    28.86")) << line;
  std::getline(lines, line);
  EXPECT_EQ(line, "#[Max     =   100.000000, Total count    =          100]");
}

TEST(ReportText, HgrmStopsWhereTheUnansweredBegin) {
  const std::string text = report_hgrm(report_of_latencies({1, 2, 3, 4, 5, 6, 7, 8}, 2));
  EXPECT_NE(text.find("0.800000000000          8"), std::string::npos) << text;
  EXPECT_EQ(text.find("0.850000000000"), std::string::npos);
  EXPECT_NE(text.find("#[Unanswered = 2 of 10"), std::string::npos);
}

}  // namespace
}  // namespace mlq::replay
