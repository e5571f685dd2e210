#include "lib/arrival/xform/stage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "tests/arrival/harness.h"
#include "tests/arrival/trace_files.h"
#include "tests/support/process.h"

namespace mlq::arrival {
namespace {

using mlq::test::arrivals_at;
using mlq::test::TempDir;
using mlq::test::trace_file;
using mlq::test::Written;

constexpr int64_t kSecond = 1'000'000'000;

Written xform(const TempDir& dir, const std::vector<std::string>& stages, const std::string& file,
              XformOptions options = {}) {
  return mlq::test::written_by(
      dir, [&](records::Writer& writer) { run_xform(stages, file, options, mlq::test::test_run(), writer); });
}

// Times of a Poisson process, sorted.
std::vector<int64_t> poisson_times(size_t n, double mean_gap_ns, uint64_t seed) {
  const RandomStream random(seed, Purpose::gaps);
  std::vector<int64_t> times(n);
  double t = 0;
  for (size_t i = 0; i < n; ++i) {
    t += -fmath::log(random.uniform(i)) * mean_gap_ns;
    times[i] = static_cast<int64_t>(t);
  }
  return times;
}

std::string error_of(const std::function<void()>& action, ExitKind kind) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

// ---- Text

TEST(StageText, HasOneCanonicalForm) {
  const std::pair<const char*, const char*> forms[] = {
      {"scale-rate 1.50", "scale-rate 1.5"},
      {"scale-rate 1/3", "scale-rate 1/3"},
      {"  thin   5%  ", "thin 0.05"},
      {"thin 1", "thin 1"},
      {"clip 1000ms..1m", "clip 1s..1min"},
      {"clip ..60s", "clip ..1min"},
      {"clip 10s.. keep-time", "clip 10s.. keep-time"},
      {"clip 10s.. --keep-time", "clip 10s.. keep-time"},
      {"shift -250ms", "shift -250ms"},
      {"shift +5s", "shift 5s"},
      {"loop 3", "loop 3"},
      {"loop 2k", "loop 2000"},
      {"loop 60m", "loop 1h"},
      {"splice a.jsonl 'b c.jsonl'", "splice a.jsonl 'b c.jsonl'"},
      {"superpose \"it's\"", "superpose 'it'\"'\"'s'"},
      {"dequantise uniform 1000ms", "dequantise uniform 1s"},
      {"dequantise even", "dequantise even"},
  };
  for (const auto& [text, canonical] : forms) {
    EXPECT_EQ(format_stage(parse_stage(text)), canonical) << text;
    EXPECT_EQ(format_stage(parse_stage(canonical)), canonical) << text;
  }
}

TEST(StageText, ThatIsWrongIsAUsageErrorThatQuotesIt) {
  for (const char* text : {"",
                           "   ",
                           "scale",
                           "scale-rate",
                           "scale-rate 0",
                           "scale-rate x",
                           "scale-rate 1 2",
                           "thin 1.5",
                           "thin -1",
                           "clip",
                           "clip ..",
                           "clip 5s",
                           "clip 9s..9s",
                           "clip 9s..3s",
                           "clip 1s..2s keep",
                           "shift",
                           "shift 5",
                           "loop 0",
                           "loop 0s",
                           "loop -1",
                           "loop ''",
                           "splice",
                           "superpose",
                           "superpose ''",
                           "splice 'a",
                           "dequantise",
                           "dequantise odd",
                           "dequantise even 0s",
                           "dequantise even 1s 2s"}) {
    const std::string message = error_of([&] { parse_stage(text); }, ExitKind::usage);
    EXPECT_NE(message.find('"' + std::string(text) + '"'), std::string::npos) << message;
  }
}

// ---- One arrival at a time

TEST(ScaleRate, DividesTimesAndDurationRoundingDown) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({0, 10, 25, 31}), 40);
  const Written out = xform(dir, {"scale-rate 3"}, file);
  EXPECT_EQ(out.times_ns, (std::vector<int64_t>{0, 3, 8, 10}));
  EXPECT_EQ(out.end->duration_ns, 13);
}

TEST(ScaleRate, TwiceIsTheProductUpToOneRounding) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at(poisson_times(1000, 1e6, 1)));
  const Written twice = xform(dir, {"scale-rate 3/2", "scale-rate 1.4"}, file);
  const Written once = xform(dir, {"scale-rate 2.1"}, file);
  for (size_t k = 0; k < once.times_ns.size(); ++k)
    ASSERT_LE(std::abs(twice.times_ns[k] - once.times_ns[k]), 1);
}

TEST(ScaleRate, AndItsReciprocalGiveBackWholeMultiples) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({0, 700, 1400, 9100}), 7000);
  EXPECT_EQ(xform(dir, {"scale-rate 7", "scale-rate 1/7"}, file).times_ns,
            (std::vector<int64_t>{0, 700, 1400, 9100}));
}

TEST(ScaleRate, RefusesTimesBeyondTheRange) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({int64_t{1} << 62}));
  error_of([&] { xform(dir, {"scale-rate 0.1"}, file); }, ExitKind::input);
}

TEST(Thin, KeepsTheShareAskedForAndNumbersTheRestByPlace) {
  const TempDir dir;
  std::vector<records::Arrival> arrivals = arrivals_at(poisson_times(20'000, 1e6, 1));
  for (size_t i = 0; i < arrivals.size(); ++i) arrivals[i].i = i;
  const Written out = xform(dir, {"thin 0.3"}, trace_file(dir, "t", arrivals));
  EXPECT_NEAR(static_cast<double>(out.arrivals.size()), 6000, 4 * std::sqrt(20'000 * 0.3 * 0.7));
  for (size_t i = 0; i < out.arrivals.size(); ++i) ASSERT_FALSE(out.arrivals[i].i);
}

TEST(Thin, OfOneKeepsAllAndOfZeroNone) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({1, 2, 3}), 10);
  EXPECT_EQ(xform(dir, {"thin 1"}, file).times_ns, (std::vector<int64_t>{1, 2, 3}));
  const Written none = xform(dir, {"thin 0"}, file);
  EXPECT_TRUE(none.times_ns.empty());
  EXPECT_EQ(none.end->duration_ns, 10);
}

TEST(Thin, OfLessIsASubsetOfThinOfMore) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at(poisson_times(2000, 1e6, 1)));
  const auto less = xform(dir, {"thin 0.2"}, file).times_ns;
  const auto more = xform(dir, {"thin 0.5"}, file).times_ns;
  EXPECT_TRUE(std::includes(more.begin(), more.end(), less.begin(), less.end()));
}

TEST(Thin, TwiceTossesFreshCoins) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at(poisson_times(20'000, 1e6, 1)));
  const double kept = static_cast<double>(xform(dir, {"thin 0.5", "thin 0.5"}, file).times_ns.size());
  EXPECT_NEAR(kept, 5000, 4 * std::sqrt(20'000 * 0.25 * 0.75));
}

// Var(N')/E(N') - 1 = P (Var(N)/E(N) - 1): of groups of 20 arrivals (IDC 20), thinned by a quarter, 5.75.
TEST(Thin, ShrinksTheExcessDispersionByItsShare) {
  const TempDir dir;
  std::vector<int64_t> times;
  for (const int64_t t : poisson_times(20'000, 1e9, 3)) times.insert(times.end(), 20, t);
  const auto thinned = xform(dir, {"thin 0.25"}, trace_file(dir, "t", arrivals_at(times))).times_ns;
  const int64_t window = 10 * kSecond;
  std::vector<double> counts(static_cast<size_t>(times.back() / window));
  for (const int64_t t : thinned) {
    if (t / window < static_cast<int64_t>(counts.size())) counts[static_cast<size_t>(t / window)] += 1;
  }
  double mean = 0, squares = 0;
  for (const double c : counts) mean += c / static_cast<double>(counts.size());
  for (const double c : counts) squares += (c - mean) * (c - mean) / static_cast<double>(counts.size());
  EXPECT_NEAR(squares / mean, 1 + 0.25 * 19, 4 * 5.75 * std::sqrt(2.0 / static_cast<double>(counts.size())));
}

TEST(Clip, KeepsAHalfOpenIntervalAndShiftsItToZero) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({0, 9, 10, 15, 20, 30}), 40);
  const Written out = xform(dir, {"clip 10ns..20ns"}, file);
  EXPECT_EQ(out.times_ns, (std::vector<int64_t>{0, 5}));
  EXPECT_EQ(out.end->duration_ns, 10);
  const Written kept = xform(dir, {"clip 10ns..20ns keep-time"}, file);
  EXPECT_EQ(kept.times_ns, (std::vector<int64_t>{10, 15}));
  EXPECT_EQ(kept.end->duration_ns, 20);
  EXPECT_EQ(xform(dir, {"clip 15ns.."}, file).times_ns, (std::vector<int64_t>{0, 5, 15}));
  EXPECT_EQ(xform(dir, {"clip 15ns.."}, file).end->duration_ns, 25);
  EXPECT_EQ(xform(dir, {"clip ..10ns"}, file).times_ns, (std::vector<int64_t>{0, 9}));
  EXPECT_EQ(xform(dir, {"clip ..1s"}, file).end->duration_ns, 40);
}

TEST(Clip, OfTheWholeIsTheWholeAndBeyondItIsEmpty) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({1, 2}), 5);
  EXPECT_EQ(xform(dir, {"clip 0s..5ns"}, file).times_ns, (std::vector<int64_t>{1, 2}));
  const Written beyond = xform(dir, {"clip 7ns..9ns"}, file);
  EXPECT_TRUE(beyond.times_ns.empty());
  EXPECT_EQ(beyond.end->duration_ns, 0);
}

TEST(Clip, MovesTheAbsoluteTimeOfZero) {
  const TempDir dir;
  records::Run run;
  run.epoch_unix_ns = 1000;
  const auto file = trace_file(dir, "t", arrivals_at({1, 12}), 20, run);
  EXPECT_EQ(xform(dir, {"clip 10ns.."}, file).runs.front().epoch_unix_ns, 1010);
  EXPECT_EQ(xform(dir, {"clip 10ns.. keep-time"}, file).runs.front().epoch_unix_ns, 1000);
  EXPECT_EQ(xform(dir, {"shift 5ns"}, file).runs.front().epoch_unix_ns, 995);
  EXPECT_FALSE(xform(dir, {"scale-rate 2"}, file).runs.front().epoch_unix_ns);
}

TEST(Shift, AddsAndRefusesToFallBelowZero) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({5, 8}), 20);
  EXPECT_EQ(xform(dir, {"shift 1us"}, file).times_ns, (std::vector<int64_t>{1005, 1008}));
  const Written back = xform(dir, {"shift -5ns"}, file);
  EXPECT_EQ(back.times_ns, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(back.end->duration_ns, 15);
  error_of([&] { xform(dir, {"shift -6ns"}, file); }, ExitKind::input);
}

// ---- Several traces

TEST(Loop, RepeatsAtTheDurationNotAtTheLastArrival) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({1, 4}), 10);
  const Written out = xform(dir, {"loop 3"}, file);
  EXPECT_EQ(out.times_ns, (std::vector<int64_t>{1, 4, 11, 14, 21, 24}));
  EXPECT_EQ(out.end->duration_ns, 30);
}

TEST(Loop, FillsATimeAndCutsTheLastRound) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({1, 4}), 10);
  const Written out = xform(dir, {"loop 24ns"}, file);
  EXPECT_EQ(out.times_ns, (std::vector<int64_t>{1, 4, 11, 14, 21}));
  EXPECT_EQ(out.end->duration_ns, 24);
  EXPECT_EQ(xform(dir, {"loop 3ns"}, file).times_ns, (std::vector<int64_t>{1}));
}

TEST(Loop, OfALoopAndOfAThinnedTraceRepeatsWhatCameIn) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({1, 4}), 10);
  EXPECT_EQ(xform(dir, {"loop 2", "loop 2"}, file).times_ns, xform(dir, {"loop 4"}, file).times_ns);
  const auto many = trace_file(dir, "u", arrivals_at(poisson_times(100, 10, 2)), 2000);
  const auto once = xform(dir, {"thin 0.5"}, many).times_ns;
  auto twice = once;
  for (const int64_t t : once) twice.push_back(t + 2000);
  EXPECT_EQ(xform(dir, {"thin 0.5", "loop 2"}, many).times_ns, twice);
}

TEST(Loop, OfNothing) {
  const TempDir dir;
  EXPECT_TRUE(xform(dir, {"loop 1000000000"}, trace_file(dir, "t", {})).times_ns.empty());
  EXPECT_EQ(xform(dir, {"loop 30ns"}, trace_file(dir, "u", {}, 7)).end->duration_ns, 30);
  EXPECT_EQ(xform(dir, {"loop 1e18"}, trace_file(dir, "u", {}, 7)).end->duration_ns,
            7'000'000'000'000'000'000);
  error_of([&] { xform(dir, {"loop 1s"}, trace_file(dir, "v", arrivals_at({0, 0}), 0)); }, ExitKind::input);
}

TEST(Splice, PutsTracesEndToEndAtTheirDurations) {
  const TempDir dir;
  const auto a = trace_file(dir, "a", arrivals_at({1, 4}), 10);
  const auto b = trace_file(dir, "b", arrivals_at({0, 2}), 5);
  const auto c = trace_file(dir, "c", arrivals_at({3}));
  const Written out = xform(dir, {"splice " + b + " " + c}, a);
  EXPECT_EQ(out.times_ns, (std::vector<int64_t>{1, 4, 10, 12, 18}));
  EXPECT_EQ(out.end->duration_ns, 18);
}

// Not after writing for years.
TEST(Loop, ThatPassesTheEndOfTimeIsRefusedAfterTheFirstRound) {
  const mlq::test::TempDir dir;
  const std::string file = trace_file(dir, "t", arrivals_at({0, 3}), 10);
  EXPECT_EQ(
      error_of([&] { xform(dir, {"loop 1e18"}, file); }, ExitKind::input),
      "loop 1000000000000000000: so many rounds of 10ns are over 2^63 ns; 922337203685477580 are the most");
}

TEST(Splice, OfATraceWithItselfIsItsLoop) {
  const TempDir dir;
  const auto a = trace_file(dir, "a", arrivals_at({1, 4}), 10);
  EXPECT_EQ(xform(dir, {"splice " + a}, a).times_ns, xform(dir, {"loop 2"}, a).times_ns);
}

TEST(Superpose, OfSortedTracesIsTheSortOfTheirUnion) {
  const TempDir dir;
  std::vector<int64_t> all;
  std::string stage = "superpose";
  for (uint64_t k = 0; k < 4; ++k) {
    const auto times = poisson_times(200 + 100 * k, 50, k + 1);
    all.insert(all.end(), times.begin(), times.end());
    const auto file =
        trace_file(dir, "t" + std::to_string(k), arrivals_at(times), 100'000 + static_cast<int64_t>(k));
    if (k > 0) stage += " " + file;
  }
  std::sort(all.begin(), all.end());
  const Written out = xform(dir, {stage}, dir / "t0");
  EXPECT_EQ(out.times_ns, all);
  EXPECT_EQ(out.end->duration_ns, 100'003);
}

TEST(Superpose, TakesEqualTimesInTheOrderOfTheSources) {
  const TempDir dir;
  auto a = arrivals_at({5, 5});
  auto b = arrivals_at({5});
  for (auto& arrival : a) arrival.klass = "a";
  for (auto& arrival : b) arrival.klass = "b";
  const auto file_a = trace_file(dir, "a", a);
  const auto file_b = trace_file(dir, "b", b);
  const Written out = xform(dir, {"superpose " + file_b}, file_a);
  ASSERT_EQ(out.arrivals.size(), 3u);
  EXPECT_EQ(out.arrivals[0].klass, "a");
  EXPECT_EQ(out.arrivals[1].klass, "a");
  EXPECT_EQ(out.arrivals[2].klass, "b");
}

// The identity of what superpose makes of the three shards of a process, the last of them first.
std::string joined_identity(std::string_view spec) {
  const TempDir dir;
  const auto file = [&](uint32_t shard) {
    const auto trace = arrival::test::trace_of(spec, {.shard = shard, .shards = 3});
    return trace_file(dir, "s" + std::to_string(shard), trace.arrivals, trace.end.duration_ns);
  };
  return *xform(dir, {"superpose " + file(1) + " " + file(0)}, file(2)).end->trace_xxh3;
}

TEST(Superpose, OfTheShardsOfATraceIsThatTrace) {
  for (const char* spec :
       {"poisson --rate 1k/s --count 2000 --class-mix chat:3,code:1",
        "poisson --rate 1k/s --count 2000 --batch geometric:mean=3 --class-mix chat:3,code:1",
        "gamma --cv 2 --rate 1k/s --duration 2s --episode 100", "poisson --rate 1k/s --count 2"}) {
    EXPECT_EQ(joined_identity(spec), *arrival::test::end_of(spec).trace_xxh3) << spec;
  }
}

TEST(Superpose, RefusesPrefixBlocksOfDifferentSizes) {
  const TempDir dir;
  records::Run run;
  run.prefix_block_tokens = 512;
  const auto a = trace_file(dir, "a", arrivals_at({1}), 2, run);
  run.prefix_block_tokens = 16;
  const auto b = trace_file(dir, "b", arrivals_at({1}), 2, run);
  error_of([&] { xform(dir, {"superpose " + b}, a); }, ExitKind::input);
}

// ---- Dequantise

TEST(Dequantise, SpreadsTiesEvenlyUpToTheNextStamp) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({0, 0, 1000, 1000, 1000, 1000, 1400, 5000}), 6000);
  EXPECT_EQ(xform(dir, {"dequantise even 1us"}, file).times_ns,
            (std::vector<int64_t>{250, 750, 1050, 1150, 1250, 1350, 1900, 5500}));
}

TEST(Dequantise, KeepsOrderAndStaysWithinTheTick) {
  const TempDir dir;
  std::vector<int64_t> times;
  for (const int64_t t : poisson_times(5000, 1e8, 4)) times.push_back(t / kSecond * kSecond);
  const auto file = trace_file(dir, "t", arrivals_at(times));
  const auto spread = xform(dir, {"dequantise uniform"}, file).times_ns;  // finds the second by itself
  ASSERT_EQ(spread.size(), times.size());
  EXPECT_TRUE(std::is_sorted(spread.begin(), spread.end()));
  for (size_t k = 0; k < times.size(); ++k) ASSERT_EQ(spread[k] / kSecond * kSecond, times[k]);
  EXPECT_EQ(xform(dir, {"dequantise none"}, file).times_ns, times);
}

TEST(Dequantise, BelievesTheRunRecord) {
  const TempDir dir;
  records::Run run;
  run.resolution_ns = 100;
  run.tick_ns = 100;
  const auto file = trace_file(dir, "t", arrivals_at({0, 100000}), 200000, run);
  const Written out = xform(dir, {"dequantise even"}, file);
  EXPECT_EQ(out.times_ns, (std::vector<int64_t>{50, 100050}));
  EXPECT_FALSE(out.runs.front().resolution_ns);
}

// ---- Numbers, order, streams

TEST(Xform, KeepsAfterPointingAtItsRequestOrDropsIt) {
  const TempDir dir;
  auto arrivals = arrivals_at({0, 10, 20, 30});
  for (auto& arrival : arrivals) arrival.conversation = "c";
  for (size_t k = 1; k < 4; ++k) {
    arrivals[k].after_i = k - 1;
    arrivals[k].think_ns = 7;
  }
  const auto file = trace_file(dir, "t", arrivals, 40);
  const auto clipped = xform(dir, {"clip 10ns.."}, file).arrivals;
  ASSERT_EQ(clipped.size(), 3u);
  EXPECT_FALSE(clipped[0].after_i);
  EXPECT_FALSE(clipped[0].think_ns);
  EXPECT_EQ(clipped[1].after_i, 0u);
  EXPECT_EQ(clipped[2].after_i, 1u);
  const auto merged = xform(dir, {"superpose " + file}, file).arrivals;
  ASSERT_EQ(merged.size(), 8u);
  EXPECT_EQ(merged[2].after_i, 0u);
  EXPECT_EQ(merged[3].after_i, 1u);
  EXPECT_EQ(merged[7].after_i, 5u);
  const auto looped = xform(dir, {"loop 2"}, file).arrivals;
  EXPECT_FALSE(looped[4].after_i);
  EXPECT_EQ(looped[5].after_i, 4u);
}

TEST(Xform, SortsAFileOutOfOrderWithANotice) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at({5, 3, 9, 1}), 10);
  std::vector<std::string> notices;
  XformOptions options;
  options.trace.notice = [&](const std::string& line) { notices.push_back(line); };
  EXPECT_EQ(xform(dir, {"loop 2"}, file, options).times_ns,
            (std::vector<int64_t>{1, 3, 5, 9, 11, 13, 15, 19}));
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].find("2 of 4 arrivals"), std::string::npos) << notices[0];
  options.trace.sort = SortMode::assume;
  const std::string message = error_of([&] { xform(dir, {"thin 1"}, file, options); }, ExitKind::input);
  EXPECT_NE(message.find("t_ns 3 comes after 5"), std::string::npos) << message;
  options.trace.sort = SortMode::memory;
  options.trace.memory_bytes = 100;
  error_of([&] { xform(dir, {"thin 1"}, file, options); }, ExitKind::input);
}

TEST(Xform, SaysItsStagesAndTheHistoryOfItsInputs) {
  const TempDir dir;
  records::Run run;
  run.tool = "maker";
  run.source_name = "somewhere";
  run.resolution_ns = 100;
  const auto a = trace_file(dir, "a", arrivals_at({1}), 2, run);
  run.source_name = "elsewhere";
  const auto b = trace_file(dir, "b", arrivals_at({1}), 2, run);
  const records::Run one = xform(dir, {"thin 100%", "scale-rate 2"}, a).runs.front();
  EXPECT_EQ(one.stages, "thin 1 | scale-rate 2");
  EXPECT_EQ(one.source_name, "somewhere");
  EXPECT_EQ(one.resolution_ns, 50);
  ASSERT_TRUE(one.inputs);
  EXPECT_NE(one.inputs->text.find("\"tool\":\"maker\""), std::string::npos);
  const records::Run two = xform(dir, {"superpose " + b}, a).runs.front();
  EXPECT_FALSE(two.source_name);
  EXPECT_NE(two.inputs->text.find("elsewhere"), std::string::npos);
}

TEST(Xform, OfACutStreamFinishesTheWorkThenFails) {
  const TempDir dir;
  const std::string text =
      "{\"type\":\"run\",\"tool\":\"x\",\"version\":\"1\",\"schema\":1,\"argv\":[]}\n"
      "{\"type\":\"arrival\",\"t_ns\":1}\n";
  const auto file = dir.file("cut", text);
  for (const char* stage : {"thin 1", "loop 2", "splice "}) {
    const std::string full =
        stage == std::string("splice ") ? stage + trace_file(dir, "b", arrivals_at({1})) : stage;
    std::string failure;
    const Written out = mlq::test::written_by(dir, [&](records::Writer& writer) {
      failure =
          error_of([&] { run_xform({full}, file, {}, mlq::test::test_run(), writer); }, ExitKind::input);
    });
    EXPECT_NE(failure.find("cut"), std::string::npos);
    EXPECT_FALSE(out.arrivals.empty());
    EXPECT_TRUE(out.end);
  }
  XformOptions options;
  options.trace.reader.allow_truncated = true;
  EXPECT_EQ(xform(dir, {"thin 1"}, file, options).times_ns, (std::vector<int64_t>{1}));
}

TEST(Xform, EndsCleanlyWhenAskedToStop) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at(poisson_times(100'000, 1000, 1)), kSecond);
  StopFlag stop;
  stop.request(2);
  XformOptions options;
  options.trace.reader.stop = &stop;
  int ends[2];  // a regular file would be left as it was
  ASSERT_EQ(::pipe(ends), 0);
  {
    records::Writer writer(Output::open("/dev/fd/" + std::to_string(ends[1])), true);
    run_xform({"thin 1"}, file, options, mlq::test::test_run(), writer);
  }
  std::string text(1 << 16, '\0');
  text.resize(static_cast<size_t>(::read(ends[0], text.data(), text.size())));
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_NE(text.find("\"type\":\"end\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"interrupted\":true"), std::string::npos) << text;
}

TEST(Xform, OfAnEmptyTraceIsAnEmptyTrace) {
  const TempDir dir;
  const Written out =
      xform(dir, {"thin 0.5", "scale-rate 2", "dequantise even", "loop 2"}, dir.file("empty", ""));
  EXPECT_EQ(out.end->count, 0u);
  EXPECT_EQ(out.end->duration_ns, 0);
  EXPECT_TRUE(out.end->trace_xxh3);
}

TEST(Xform, OfAFileThatIsNoTraceSaysSo) {
  const TempDir dir;
  const auto file = dir.file("bins", "{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":10,\"count\":1}\n");
  std::string said;
  XformOptions options;
  options.trace.notice = [&](const std::string& line) { said += line; };
  EXPECT_TRUE(xform(dir, {"thin 1"}, file, options).times_ns.empty());
  EXPECT_NE(said.find("no arrivals among 1 records"), std::string::npos) << said;
}

TEST(Xform, ReadsStandardInputInOnePlaceOnly) {
  const TempDir dir;
  error_of([&] { xform(dir, {"superpose -"}, "-"); }, ExitKind::usage);
}

TEST(Xform, IsAFunctionOfTheSeed) {
  const TempDir dir;
  const auto file = trace_file(dir, "t", arrivals_at(poisson_times(500, 1000, 1)));
  XformOptions other;
  other.seed = 2;
  EXPECT_EQ(xform(dir, {"thin 0.5"}, file).text, xform(dir, {"thin 0.5"}, file).text);
  EXPECT_NE(xform(dir, {"thin 0.5"}, file).times_ns, xform(dir, {"thin 0.5"}, file, other).times_ns);
}

}  // namespace
}  // namespace mlq::arrival
