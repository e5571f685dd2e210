#include "lib/tune/measure/tally.h"

#include <cmath>

#include "gtest/gtest.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::tune {
namespace {

using Kind = Sample::Kind;
constexpr int64_t kMs = 1'000'000;

std::vector<Sample> answered(size_t n, int64_t gap_ns, const std::function<int64_t(size_t)>& latency) {
  std::vector<Sample> out;
  for (size_t k = 0; k < n; ++k)
    out.push_back({static_cast<int64_t>(k) * gap_ns, latency(k), Kind::ok, true});
  return out;
}

Window figures(std::span<const Sample> samples, const Extent& extent, const char* slo = "") {
  Window out;
  tally(samples, extent, Objective::parse("latency", slo), out);
  return out;
}

TEST(Tally, CountsAndRates) {
  auto samples = answered(100, 10 * kMs, [](size_t) { return 5 * kMs; });
  samples[3].kind = Kind::error;
  samples[3].good = false;
  samples[4].kind = Kind::discarded;
  const Window w = figures(samples, {1000 * kMs, 250 * kMs});
  EXPECT_EQ(w.requests, 99u);
  EXPECT_EQ(w.ok, 98u);
  EXPECT_EQ(w.errors, 1u);
  EXPECT_EQ(w.discarded, 1u);
  EXPECT_DOUBLE_EQ(*w.rate_per_s, 100);
  EXPECT_NEAR(*w.cv2, 0, 1e-12);
  EXPECT_DOUBLE_EQ(*w.done_per_s, 99 / 1.25);
  EXPECT_DOUBLE_EQ(*w.good_per_s, 98 / 1.25);
  EXPECT_EQ(w.latency_mean_ns, 5 * kMs);
  EXPECT_NEAR(*w.attain, 98.0 / 99, 1e-12);
  EXPECT_LT(*w.attain_lo, *w.attain);
  EXPECT_NEAR(w.inflight_mean, 98 * 0.005 / 1.25, 1e-9);
}

TEST(Tally, UnansweredRequestsLeaveTheMeanUnknownAndABoundOfIt) {
  const auto samples = [] {
    auto s = answered(100, kMs, [](size_t) { return 10 * kMs; });
    for (size_t k = 97; k < 100; ++k) s[k] = {s[k].due_ns, 500 * kMs, Kind::censored, false};
    return s;
  }();
  const Window w = figures(samples, {100 * kMs, 0});
  EXPECT_FALSE(w.latency_mean_ns);
  EXPECT_TRUE(w.stat_is_bound);
  EXPECT_NEAR(*w.stat_ns, (97 * 10.0 + 3 * 500) / 100 * kMs, 1);
  EXPECT_EQ(w.latency_p95_ns, 10 * kMs);
  EXPECT_FALSE(w.latency_p99_ns);
  EXPECT_TRUE(w.note);
  const Window p95 = figures(samples, {100 * kMs, 0}, "p95<=20ms");
  EXPECT_FALSE(p95.stat_is_bound);
  EXPECT_NEAR(*p95.stat_ns, 10.0 * kMs, 0.004 * 10 * kMs);
}

TEST(Tally, ErrorsAreNoLatencies) {
  auto samples = answered(10, kMs, [](size_t) { return kMs; });
  for (Sample& s : samples) s.kind = Kind::error;
  const Window w = figures(samples, {10 * kMs, 0});
  EXPECT_FALSE(w.stat_ns);
  EXPECT_FALSE(w.latency_p50_ns);
  EXPECT_TRUE(w.note);
}

// What is in flight has missed its limit once it is longer there, and is not judged before.
TEST(Tally, RequestsInFlightAreJudgedOnceTheyAreLate) {
  std::vector<Sample> samples = answered(8, kMs, [](size_t) { return kMs; });
  samples.push_back({8 * kMs, 60 * kMs, Kind::pending, false});
  samples.push_back({9 * kMs, 40 * kMs, Kind::pending, false});
  const Window w = figures(samples, {60 * kMs, 0}, "p99<=50ms");
  EXPECT_EQ(w.inflight, 2u);
  EXPECT_EQ(w.judged, 9u);
  EXPECT_EQ(w.over, 1u);
}

// Independent lognormal latencies: the variance of ln mean is (e^(s^2) - 1) / n nearly, and the interval of
// the statistic holds the truth in 95 % of windows. 300 windows: 3 standard deviations are 3.8 %.
TEST(Tally, TheIntervalHoldsTheTruthAsOftenAsItSays) {
  const RandomStream random(3, Purpose::service);
  const double s = 0.5;
  const double truth = 10.0 * kMs * std::exp(s * s / 2);
  int inside = 0;
  double var = 0;
  for (uint64_t run = 0; run < 300; ++run) {
    const auto samples = answered(400, kMs, [&](size_t k) {
      const double z = fmath::normal_quantile(random.uniform(run * 400 + k));
      return static_cast<int64_t>(10.0 * kMs * fmath::exp(s * z));
    });
    const Window w = figures(samples, {400 * kMs, 0});
    inside += *w.stat_lo_ns <= truth && truth <= *w.stat_hi_ns ? 1 : 0;
    var += *w.y_var / 300;
  }
  EXPECT_NEAR(inside / 300.0, 0.95, 0.04);
  EXPECT_NEAR(var, (std::exp(s * s) - 1) / 400, 0.1 * (std::exp(s * s) - 1) / 400);
}

TEST(Tally, ASampleOfManyHasTheSameCountsAndNearlyTheSameFigures) {
  const RandomStream random(4, Purpose::service);
  const auto samples = answered(50'000, kMs, [&](size_t k) {
    return static_cast<int64_t>(-10.0 * kMs * fmath::log(random.uniform(k)));
  });
  Window all, some;
  const Objective mean = Objective::parse("latency", "");
  tally(samples, {50'000 * kMs, 0}, mean, all);
  tally(samples, {50'000 * kMs, 0}, mean, some, 10'000);
  EXPECT_EQ(all.requests, some.requests);
  EXPECT_EQ(all.done_per_s, some.done_per_s);
  EXPECT_NEAR(*some.stat_ns, *all.stat_ns, 0.05 * *all.stat_ns);
}

TEST(Tally, ASlopeIsThatOfALine) {
  const std::vector<double> line{1, 3, 5, 7};
  EXPECT_DOUBLE_EQ(slope_per_s(line, 500 * kMs), 4);
  EXPECT_EQ(slope_per_s(std::vector<double>{5}, 500 * kMs), 0);
}

}  // namespace
}  // namespace mlq::tune
