#include "lib/stats/batch_means.h"

#include <vector>

#include "gtest/gtest.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::stats {
namespace {

// x' = a x + e: the integrated autocorrelation time is (1 + a) / (1 - a).
std::vector<double> autoregression(double a, size_t n, uint64_t seed) {
  const RandomStream random(seed, Purpose::bootstrap);
  std::vector<double> out(n);
  double x = 0;
  for (size_t k = 0; k < n; ++k) out[k] = x = a * x + fmath::normal_quantile(random.uniform(k));
  return out;
}

double mean_time(double a) {
  double sum = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) sum += autocorrelation_time(autoregression(a, 20'000, seed));
  return sum / 40;
}

// Of 20 batches the estimate's relative deviation is sqrt(2 / 19); of 40 runs' mean 5 %.
TEST(BatchMeans, AutoregressionHasItsKnownTime) {
  EXPECT_NEAR(mean_time(0.8), 9, 9 * 0.2);
  EXPECT_NEAR(mean_time(0.5), 3, 3 * 0.2);
}

TEST(BatchMeans, IndependentValuesAllCount) {
  EXPECT_LT(mean_time(0), 1.35);  // never below 1, so above it on average
  EXPECT_GE(mean_time(0), 1);
}

TEST(BatchMeans, AFewValuesCountAsOne) {
  const std::vector<double> values{1, 0, 1, 0, 1};
  EXPECT_EQ(autocorrelation_time(values), 5);
  EXPECT_EQ(autocorrelation_time({}), 1);
}

TEST(BatchMeans, EqualValuesHaveNoMemory) {
  EXPECT_EQ(autocorrelation_time(std::vector<double>(100, 3.0)), 1);
}

TEST(BatchMeans, BatchesAreTheSeries) {
  for (const size_t n : {10u, 11u, 99u}) {
    size_t next = 0;
    for (size_t b = 0; b < 10; ++b) {
      EXPECT_EQ(batch_of(n, b, 10).first, next);
      next = batch_of(n, b, 10).last;
    }
    EXPECT_EQ(next, n);
  }
}

}  // namespace
}  // namespace mlq::stats
