#include "lib/stats/hurst.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "lib/base/random.h"
#include "lib/stats/fgn.h"

namespace mlq::stats {
namespace {

using Estimator = HurstEstimate (*)(std::span<const double>);

std::vector<double> noise(size_t n, double h, uint64_t seed) {
  return fgn(n, h, RandomStream(seed, Purpose::modulator));
}

struct Quality {
  double bias = 0;
  double covered = 0;  // share of intervals that hold the truth
};

Quality quality(Estimator estimate, double h, size_t n, int series) {
  Quality q;
  for (int s = 0; s < series; ++s) {
    const HurstEstimate e = estimate(noise(n, h, 500 + static_cast<uint64_t>(s)));
    q.bias += (e.h - h) / series;
    q.covered += (e.lo <= h && h <= e.hi) / static_cast<double>(series);
  }
  return q;
}

// 2^14 values, 20 series: the standard error of the bias is 0.004.
TEST(Hurst, LocalWhittleAndWaveletAreUnbiasedOnFractionalNoise) {
  for (double h : {0.5, 0.7, 0.9}) {
    for (const Estimator estimate : {hurst_local_whittle, hurst_wavelet}) {
      const Quality q = quality(estimate, h, 1 << 14, 20);
      EXPECT_NEAR(q.bias, 0, 0.02) << h;
      EXPECT_GE(q.covered, 0.8) << h;
    }
  }
}

// The biases that hurst.h states.
TEST(Hurst, VarianceTimeAndRescaledRangeAreAsBiasedAsTheySay) {
  EXPECT_NEAR(quality(hurst_variance_time, 0.5, 1 << 14, 20).bias, 0, 0.02);
  EXPECT_NEAR(quality(hurst_rescaled_range, 0.5, 1 << 14, 20).bias, 0, 0.02);
  EXPECT_NEAR(quality(hurst_variance_time, 0.9, 1 << 14, 20).bias, -0.04, 0.02);
  EXPECT_NEAR(quality(hurst_rescaled_range, 0.9, 1 << 14, 20).bias, -0.07, 0.02);
}

TEST(Hurst, AtAMillionValuesWithinTwoHundredths) {
  const std::vector<double> x = noise(1 << 20, 0.8, 7);
  EXPECT_NEAR(hurst_local_whittle(x).h, 0.8, 0.02);
  EXPECT_NEAR(hurst_wavelet(x).h, 0.8, 0.02);
  EXPECT_LT(hurst_wavelet(x).hi - hurst_wavelet(x).lo, 0.01);
}

TEST(Hurst, TheWaveletIgnoresAQuadraticTrend) {
  std::vector<double> x = noise(1 << 14, 0.7, 8);
  const double before = hurst_wavelet(x).h;
  for (size_t t = 0; t < x.size(); ++t) x[t] += 1e-7 * static_cast<double>(t) * static_cast<double>(t);
  EXPECT_NEAR(hurst_wavelet(x).h, before, 1e-6);
}

TEST(Hurst, DoesNotDependOnScaleOrLevel) {
  std::vector<double> x = noise(4096, 0.7, 9);
  for (const Estimator estimate :
       {hurst_local_whittle, hurst_wavelet, hurst_variance_time, hurst_rescaled_range}) {
    std::vector<double> y = x;
    for (double& v : y) v = 1000 + 8 * v;
    EXPECT_NEAR(estimate(y).h, estimate(x).h, 1e-6);
  }
}

TEST(Hurst, ShortOrConstantSeriesGiveNothing) {
  for (const Estimator estimate :
       {hurst_local_whittle, hurst_wavelet, hurst_variance_time, hurst_rescaled_range}) {
    EXPECT_TRUE(std::isnan(estimate(noise(kHurstMinimum - 1, 0.7, 1)).h));
    EXPECT_TRUE(std::isnan(estimate(std::vector<double>(5000, 2.0)).h));
    const HurstEstimate least = estimate(noise(kHurstMinimum, 0.7, 1));
    EXPECT_LT(least.lo, least.h);
    EXPECT_GT(least.hi, least.h);
  }
}

}  // namespace
}  // namespace mlq::stats
