// The `measure` object of endpoint files, and what is read of processes and of the machine.
#include "lib/tune/measure/measure_source.h"

#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "lib/tune/measure/level.h"
#include "lib/tune/measure/machine.h"
#include "tests/support/temp_dir.h"

namespace mlq::tune {
namespace {

std::string message_of(std::string_view json) {
  try {
    parse_measure(json, "e.json: measure");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    return error.what();
  }
  return "accepted";
}

TEST(MeasureSpec, SaysWhichMetricsAreRead) {
  const MeasureSpec s = parse_measure(
      R"({"source":"prometheus","url":"http://127.0.0.1:8002/metrics","latency":"nv_inference_request_duration_us",
          "count":"nv_inference_request_success","labels":{"model":"digits"},"scrape":"2s","gen_label":"gen"})",
      "m");
  EXPECT_EQ(s.source, MeasureSpec::Source::prometheus);
  EXPECT_EQ(s.query.latency, "nv_inference_request_duration_us");
  EXPECT_EQ(s.query.unit_ns, 1e3);
  EXPECT_EQ(s.query.labels.at("model"), "digits");
  EXPECT_EQ(s.scrape_ns, 2'000'000'000);
}

TEST(MeasureSpec, AUrlOrAPathNamesTheSource) {
  EXPECT_EQ(parse_measure(R"({"url":"u","latency":"x_seconds"})", "m").source,
            MeasureSpec::Source::prometheus);
  EXPECT_EQ(parse_measure(R"({"path":"-"})", "m").source, MeasureSpec::Source::records);
  EXPECT_EQ(parse_measure(R"({"gen_header":"x-mlq-upstream-gen"})", "m").source, MeasureSpec::Source::none);
  EXPECT_EQ(parse_measure(R"({"url":"u","latency":"x_milliseconds_total"})", "m").query.unit_ns, 1e6);
  EXPECT_EQ(parse_measure(R"({"url":"u","latency":"x","unit":"ns"})", "m").query.unit_ns, 1);
}

TEST(MeasureSpec, FaultsNameTheKey) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"latencies":"x"})", "measure.latencies: there is no such key; is it \"latency\"?"},
      {R"({"url":"u"})", "measure.latency: is missing"},
      {R"({"source":"prometheus","latency":"x"})", "measure.url: is missing"},
      {R"({"source":"records"})", "measure.path: is missing"},
      {R"({"source":"statsd"})", "measure.source: \"statsd\" is none"},
      {R"({"url":5})", "measure.url: is no text"},
      {R"({"url":"u","latency":"x","labels":{"a":1}})", "measure.labels.a: is no text"},
      {R"({"url":"u","latency":"x","scrape":"1ms"})", "measure.scrape: is shorter"},
      {R"({"url":"u","latency":"x","scrape":"soon"})", "measure.scrape: "},
      {R"({"url":"u","latency":"x","unit":"h"})", "measure.unit: \"h\" is none"},
      {R"({"url":"u","latency":"x","path":"-"})", "measure.path: is of no use"},
      {R"({"path":"-","cpu":"x"})", "measure.cpu: is of no use"},
      {R"({"path":"-","path":"x"})", "measure.path: is there twice"},
      {R"({"path":"-","follow":1})", "measure.follow: "},
      {R"([])", "measure: "},
  };
  for (const auto& [json, words] : cases)
    EXPECT_NE(message_of(json).find(words), std::string::npos) << json << ": " << message_of(json);
}

TEST(MeasureSpec, WithoutASourceThereAreNoWindows) {
  const SteadyClock clock;
  const StopFlag stop;
  const auto plain = [](const std::string& text) { return text; };
  EXPECT_THROW(make_measure_source("{}", "m", Objective::parse("latency", ""), clock, plain, stop), Error);
}

void write_process(const test::TempDir& proc, int pid, int parent, const std::string& name, int user,
                   int pages) {
  std::filesystem::create_directory(proc / std::to_string(pid));
  proc.file(std::to_string(pid) + "/stat",
            std::to_string(pid) + " (" + name + ") S " + std::to_string(parent) + " 1 1 0 -1 0 0 0 0 0 " +
                std::to_string(user) + " 1 2 3 20 0 1 0 100 4096 " + std::to_string(pages) + " 0 0\n");
}

TEST(Machine, AServersUseIsThatOfItsWholeTree) {
  test::TempDir proc;
  write_process(proc, 10, 1, "sh", 100, 5);
  write_process(proc, 11, 10, "a (b) c", 200, 7);
  write_process(proc, 12, 11, "leaf", 300, 1);
  write_process(proc, 13, 1, "other", 999, 9);
  const auto use = process_tree_use(10, proc.path());
  ASSERT_TRUE(use);
  const int64_t tick = 1'000'000'000 / ::sysconf(_SC_CLK_TCK);
  EXPECT_EQ(use->cpu_ns, (600 + 3 * 6) * tick);
  EXPECT_EQ(use->memory_bytes, 13 * ::sysconf(_SC_PAGESIZE));
  EXPECT_FALSE(process_tree_use(14, proc.path()));
}

TEST(Machine, PressureAndLoadAreReadWhereTheyAre) {
  test::TempDir proc;
  EXPECT_FALSE(cpu_pressure(proc.path()));
  std::filesystem::create_directory(proc / "pressure");
  proc.file("pressure/cpu", "some avg10=12.50 avg60=1.00 avg300=0.10 total=12345\n");
  proc.file("loadavg", "1.25 0.5 0.25 1/100 4242\n");
  EXPECT_DOUBLE_EQ(*cpu_pressure(proc.path()), 0.125);
  EXPECT_DOUBLE_EQ(*load_average(proc.path()), 1.25);
  EXPECT_TRUE(process_tree_use(::getpid()));
}

TEST(Level, BinsAreHalfOctaves) {
  EXPECT_EQ(level_of(700, {}).name, "r18c0");  // 2 log2 700 = 18.9
  EXPECT_EQ(level_of(725, 1.6).name, "r19c1");
  EXPECT_EQ(level_of(0, {}).name, "idle");
}

TEST(Level, ABorderIsCrossedAfterThreeWindowsBeyondIt) {
  LevelTracker tracker;
  EXPECT_EQ(tracker.add(700, {}).name, "r18c0");
  for (int k = 0; k < 10; ++k) EXPECT_EQ(tracker.add(740, {}).name, "r18c0");  // beyond, but not by a quarter
  EXPECT_EQ(tracker.add(900, {}).name, "r18c0");
  EXPECT_EQ(tracker.add(900, {}).name, "r18c0");
  EXPECT_EQ(tracker.add(900, {}).name, "r19c0");
}

// With the mean at d above delta, lambda is reached after lambda / d steps, whatever came before.
TEST(PageHinkley, ADriftIsFoundAfterLambdaOverItsSize) {
  PageHinkley test(0.02, 0.5);
  for (int k = 0; k < 1000; ++k) ASSERT_FALSE(test.add(k % 2 == 0 ? 0.1 : -0.1));
  int n = 1;
  while (!test.add(0.12)) ++n;
  EXPECT_GE(n, 5);
  EXPECT_LE(n, 6);
  while (!test.add(-0.07)) ++n;
  EXPECT_GE(n, 15);
}

}  // namespace
}  // namespace mlq::tune
