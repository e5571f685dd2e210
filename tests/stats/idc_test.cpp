#include "lib/stats/idc.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/stats/gof.h"

namespace mlq::stats {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1'000'000'000;

// Renewal arrivals of 100 a second over `seconds`; gap(u) has mean 1.
std::vector<int64_t> renewal(int64_t seconds, uint64_t seed,
                             const std::function<double(const UniformPair&)>& gap) {
  const RandomStream stream(seed, Purpose::gaps);
  std::vector<int64_t> times;
  double t = 0;
  for (uint64_t i = 0;; ++i) {
    t += gap(stream.uniforms(i)) / 100;
    if (t >= static_cast<double>(seconds)) return times;
    times.push_back(static_cast<int64_t>(t * 1e9));
  }
}

double exponential_gap(const UniformPair& u) { return -fmath::log(u.a); }
double erlang2_gap(const UniformPair& u) { return -fmath::log(u.a * u.b) / 2; }
// Balanced hyperexponential with squared CV 4.
double h2_gap(const UniformPair& u) {
  const double p = (1 + std::sqrt(3.0 / 5)) / 2;
  return -fmath::log(u.a) / (u.b < p ? 2 * p : 2 * (1 - p));
}

std::vector<IdcPoint> idc_of(const std::vector<int64_t>& times, int64_t duration_ns,
                             const std::vector<int64_t>& windows) {
  IdcCounter counter(windows);
  for (const int64_t t : times) counter.add(t);
  return counter.points(duration_ns);
}

TEST(Idc, DefaultWindowsAreThePowersOfTenAndTheHour) {
  EXPECT_EQ(default_idc_windows(), (std::vector<int64_t>{kMs, 10 * kMs, 100 * kMs, kSecond, 10 * kSecond,
                                                         100 * kSecond, 1000 * kSecond, 3600 * kSecond}));
}

TEST(Idc, OfHandMadeCounts) {
  // Windows of 10: counts 2, 0, 3, 1; the arrival at 43 lies in the incomplete fifth.
  const IdcPoint p = idc_of({0, 9, 20, 25, 29, 30, 43}, 45, {10})[0];
  EXPECT_EQ(p.windows, 4u);
  EXPECT_DOUBLE_EQ(p.mean, 1.5);
  EXPECT_DOUBLE_EQ(p.idc, (0.25 + 2.25 + 2.25 + 0.25) / 3 / 1.5);
  EXPECT_NEAR(p.lo, p.idc * 3 / 9.348403604496148, 1e-12);
  EXPECT_NEAR(p.hi, p.idc * 3 / 0.21579528262389775, 1e-12);
}

TEST(Idc, AgreesWithKeepingAllCounts) {
  const std::vector<int64_t> times = renewal(50, 1, h2_gap);
  const int64_t duration = 50 * kSecond - 1;
  const std::vector<int64_t> windows{7 * kMs, 1000 * kMs, 13 * kMs};
  const std::vector<IdcPoint> points = idc_of(times, duration, windows);
  for (size_t i = 0; i < windows.size(); ++i) {
    std::vector<double> counts(static_cast<size_t>(duration / windows[i]));
    for (const int64_t t : times) {
      const size_t k = static_cast<size_t>(t / windows[i]);
      if (k < counts.size()) counts[k] += 1;
    }
    const Moments m = moments(counts);
    const double n = static_cast<double>(counts.size());
    EXPECT_EQ(points[i].windows, counts.size());
    EXPECT_NEAR(points[i].mean, m.mean, 1e-12 * m.mean);
    EXPECT_NEAR(points[i].idc, m.cv * m.cv * m.mean * n / (n - 1), 1e-10);
  }
}

TEST(Idc, OfAPoissonProcessIsOneAtEveryWidth) {
  const std::vector<int64_t> times = renewal(3000, 2, exponential_gap);
  for (const IdcPoint& p : idc_of(times, 3000 * kSecond, default_idc_windows())) {
    if (p.windows < 30) continue;
    EXPECT_GT(dispersion_test(p.idc, p.windows).p_value, 1e-4) << p.window_ns;
    EXPECT_LT(p.lo, p.idc);
    EXPECT_GT(p.hi, p.idc);
  }
}

// The limit for wide windows is the squared coefficient of variation of the gaps; bounds: 4 standard errors.
TEST(Idc, OfARenewalProcessTendsToItsSquaredCv) {
  EXPECT_NEAR(idc_of(renewal(3000, 3, erlang2_gap), 3000 * kSecond, {kSecond})[0].idc, 0.5,
              4 * 0.5 * std::sqrt(2.0 / 3000) + 0.01);
  EXPECT_NEAR(idc_of(renewal(3000, 4, h2_gap), 3000 * kSecond, {kSecond})[0].idc, 4,
              4 * 4 * std::sqrt(2.0 / 3000) + 0.1);
}

TEST(Idc, OfNothingOrTooLittleIsNaN) {
  const std::vector<IdcPoint> none = idc_of({}, 100, {10, 1000});
  EXPECT_EQ(none[0].windows, 10u);
  EXPECT_EQ(none[0].mean, 0);
  EXPECT_TRUE(std::isnan(none[0].idc));
  EXPECT_EQ(none[1].windows, 0u);
  EXPECT_TRUE(std::isnan(none[1].mean));
}

TEST(Idc, PointsMayBeAskedForOnTheWay) {
  IdcCounter counter({10});
  counter.add(5);
  EXPECT_EQ(counter.points(15)[0].windows, 1u);
  counter.add(15);
  counter.add(16);
  const IdcPoint p = counter.points(20)[0];
  EXPECT_EQ(p.windows, 2u);
  EXPECT_DOUBLE_EQ(p.mean, 1.5);
}

TEST(Idc, FarTimesAndInversions) {
  IdcCounter counter;
  counter.add(INT64_MAX - 5);
  EXPECT_THROW(counter.add(INT64_MAX - 6), Error);
  EXPECT_EQ(counter.points(INT64_MAX)[0].windows, static_cast<uint64_t>(INT64_MAX / kMs));
  EXPECT_THROW(IdcCounter().add(-1), Error);
}

}  // namespace
}  // namespace mlq::stats
