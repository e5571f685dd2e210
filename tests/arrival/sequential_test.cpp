#include "lib/arrival/process/sequential.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/arrival/harness.h"
#include "tests/support/temp_dir.h"

namespace mlq::arrival {
namespace {

using test::failure_of_spec;
using test::kSecond;
using test::times_of;
using test::trace_of;

TEST(Deterministic, DoesNotDrift) {
  // 3/s: t_i = floor(i 10^9 / 3)
  const std::vector<int64_t> times = times_of("deterministic --rate 3/s --count 40000");
  ASSERT_EQ(times.size(), 40000u);
  for (size_t k = 0; k < times.size(); ++k) ASSERT_EQ(times[k], static_cast<int64_t>(k) * kSecond / 3);
}

TEST(Deterministic, StartsWhereItIsTold) {
  EXPECT_EQ(times_of("deterministic --rate 3/s --count 4 --start event"),
            (std::vector<int64_t>{333333333, 666666666, 1000000000, 1333333333}));
  double sum = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::vector<int64_t> times =
        times_of("deterministic --rate 1/s --count 2 --start stationary", seed);
    ASSERT_TRUE(times[0] >= 0 && times[0] < kSecond);
    ASSERT_EQ(times[1] - times[0], kSecond);
    sum += static_cast<double>(times[0]) * 1e-9;
  }
  EXPECT_NEAR(sum / 2000, 0.5, 4 * std::sqrt(1.0 / 12 / 2000));
}

TEST(Deterministic, JitterIsUniformAndKeepsTheOrder) {
  std::vector<double> shares;
  const std::vector<int64_t> times = times_of("deterministic --rate 10/s --count 20000 --jitter uniform:50%");
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  for (size_t k = 1; k < times.size(); ++k) {
    shares.push_back((static_cast<double>(times[k]) - static_cast<double>(k) * 1e8) / 1e8 + 0.5);
  }
  EXPECT_GT(test::ks_p(shares, [](double u) { return u; }), 1e-3);
  const std::vector<int64_t> dense = times_of("deterministic --rate 3/ns --count 20000 --jitter uniform:0.5");
  EXPECT_TRUE(std::is_sorted(dense.begin(), dense.end()));
}

TEST(Deterministic, EndsAtItsLimits) {
  EXPECT_EQ(times_of("deterministic --rate 10/s --duration 1s").size(), 10u);
  EXPECT_EQ(times_of("deterministic --gap 10d --duration 100d").size(), 10u);
  EXPECT_EQ(times_of("deterministic --gap 10d --count 10").size(), 10u);
  EXPECT_EQ(times_of("deterministic --rate 1k/s --count 32768").size(), 32768u);
  EXPECT_EQ(times_of("deterministic --rate 1k/s --count 0").size(), 0u);
  EXPECT_EQ(times_of("deterministic --rate 1k/s --duration 100s --count 7").size(), 7u);
  EXPECT_EQ(failure_of_spec("deterministic --gap 10000d --count 100000").substr(0, 19),
            "3: times pass 2^63 ");
}

TEST(CountedBins, HoldExactlyTheirCountsAtUniformPlaces) {
  const mlq::test::TempDir dir;
  std::string text;
  for (int k = 0; k < 300; ++k) text += std::to_string(k % 7 == 0 ? 0 : k % 90) + "\n";
  text += "40000\n";
  const auto trace = trace_of("rate-file " + dir.file("bins.csv", text) + " --bin 10s --counts keep");
  std::vector<int64_t> times;
  for (const auto& a : trace.arrivals) times.push_back(a.t_ns);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  const std::vector<double> counts = test::counts_in(times, 10 * kSecond, 3010 * kSecond);
  std::vector<double> places;
  for (int k = 0; k < 300; ++k) ASSERT_EQ(counts[static_cast<size_t>(k)], k % 7 == 0 ? 0 : k % 90) << k;
  EXPECT_EQ(counts[300], 40000);
  for (const int64_t t : times) places.push_back(static_cast<double>(t % (10 * kSecond)) / 1e10);
  EXPECT_GT(test::ks_p(places, [](double u) { return u; }), 1e-3);
  EXPECT_EQ(trace.end.duration_ns, 3010 * kSecond);
}

TEST(Map, OneStateIsPoisson) {
  const mlq::test::TempDir dir;
  const std::string file = dir.file("d.json", R"({"D0":[[-5]],"D1":[[5]]})");
  const std::vector<double> gaps = test::gaps_s(times_of("map --matrices " + file + " --count 20000"));
  EXPECT_GT(test::ks_p(gaps, [](double x) { return 1 - std::exp(-5 * x); }), 1e-3);
}

TEST(Map, TwoStagesInTurnAreErlang) {
  const mlq::test::TempDir dir;
  const std::string file = dir.file("d.json", R"({"D0":[[-4,4],[0,-4]],"D1":[[0,0],[4,0]]})");
  const std::vector<int64_t> times = times_of("map --matrices " + file + " --count 20000");
  EXPECT_GT(test::ks_p(test::gaps_s(times), [](double x) { return 1 - std::exp(-4 * x) * (1 + 4 * x); }),
            1e-3);
  // in equilibrium the first gap is a residual: half of the time a stage is over
  std::vector<double> firsts;
  for (uint64_t seed = 0; seed < 4000; ++seed)
    firsts.push_back(static_cast<double>(times_of("map --matrices " + file + " --count 1", seed).at(0)) *
                     1e-9);
  EXPECT_GT(test::ks_p(firsts, [](double x) { return 1 - std::exp(-4 * x) * (1 + 2 * x); }), 1e-3);
}

TEST(Map, BatchesArriveTogether) {
  const mlq::test::TempDir dir;
  const std::string file = dir.file("d.json", R"({"D0":[[-3]],"D1":[[1]],"D2":[[0]],"D3":[[2]]})");
  const std::vector<int64_t> times = times_of("bmap --matrices " + file + " --duration 10000s");
  EXPECT_NEAR(static_cast<double>(times.size()), 70000, 4 * std::sqrt(1e4 * (1 + 9 * 2)));
  size_t together = 0;
  for (size_t k = 1; k < times.size(); ++k) together += times[k] == times[k - 1] ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(together), 40000, 1000);
}

TEST(Superposition, IsTheUnionOfItsSourcesInOrder) {
  const std::string a = "gamma --rate 30/s --cv 2 --duration 100s";
  const std::string b = "deterministic --rate 7/s --duration 100s";
  const auto both = trace_of("superpose --source '" + a + " --class-mix a:1' --source '" + b +
                             " --class-mix b:1' --duration 90s");
  std::vector<int64_t> first, second;
  for (const auto& x : both.arrivals) (*x.klass == "a" ? first : second).push_back(x.t_ns);
  EXPECT_TRUE(std::is_sorted(both.arrivals.begin(), both.arrivals.end(),
                             [](const auto& x, const auto& y) { return x.t_ns < y.t_ns; }));
  EXPECT_EQ(first, times_of("gamma --rate 30/s --cv 2 --duration 90s"));
  EXPECT_EQ(second, times_of("deterministic --rate 7/s --duration 90s"));
  EXPECT_EQ(both.end.duration_ns, 90 * kSecond);
}

TEST(Superposition, SourcesAreIndependentAndWeightsShareTheRate) {
  const auto trace = trace_of(
      "superpose --rate 100/s --weights 3,1 --source 'poisson --class-mix a:1' --source 'poisson --class-mix "
      "b:1' "
      "--duration 500s");
  double a = 0;
  for (const auto& x : trace.arrivals) a += *x.klass == "a" ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(trace.arrivals.size()), 50000, 4 * std::sqrt(50000.0));
  EXPECT_NEAR(a, 37500, 4 * std::sqrt(37500.0));
}

TEST(Superposition, CountEndsIt) {
  EXPECT_EQ(
      times_of("superpose --source 'poisson --rate 5/s' --source 'poisson --rate 5/s' --count 16384").size(),
      16384u);
  EXPECT_EQ(times_of("superpose --source 'poisson --rate 5/s --count 3' --source 'poisson --rate 5/s --count "
                     "4' --count 100")
                .size(),
            7u);
}

TEST(Superposition, ThousandsOfSourcesFit) {
  std::string spec = "superpose --duration 1s";
  for (int k = 0; k < 2000; ++k) spec += " --source 'poisson --rate 10/s'";
  EXPECT_NEAR(static_cast<double>(times_of(spec).size()), 20000, 4 * std::sqrt(20000.0));
}

}  // namespace
}  // namespace mlq::arrival
