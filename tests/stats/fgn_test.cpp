#include "lib/stats/fgn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/stats/gof.h"
#include "lib/stats/special.h"

namespace mlq::stats {
namespace {

const RandomStream kRandom(11, Purpose::modulator);

// gamma(k) in long double by the series, from k = 2 on, with the formula where that is still good.
TEST(FgnAutocovariance, AgreesWithItsFormulaInLongDouble) {
  for (double h : {0.1, 0.5, 0.6, 0.75, 0.9, 0.99}) {
    const long double a = 2 * static_cast<long double>(h);
    for (uint64_t k : {1u, 2u, 3u, 15u, 16u, 17u, 40u, 100u, 1000u}) {
      const long double x = static_cast<long double>(k);
      const long double exact = (std::pow(x + 1, a) - 2 * std::pow(x, a) + std::pow(x - 1, a)) / 2;
      EXPECT_NEAR(fgn_autocovariance(h, k), static_cast<double>(exact),
                  2e-14 * std::pow(static_cast<double>(k), 2 * h - 1) + 1e-15)
          << h << " " << k;
    }
  }
  EXPECT_EQ(fgn_autocovariance(0.8, 0), 1);
  EXPECT_EQ(fgn_autocovariance(0.5, 1000), 0);
}

TEST(FgnAutocovariance, IsSmoothWhereTheSeriesTakesOver) {
  const double before = fgn_autocovariance(0.9, 15) / fgn_autocovariance(0.9, 14);
  const double across = fgn_autocovariance(0.9, 16) / fgn_autocovariance(0.9, 15);
  const double after = fgn_autocovariance(0.9, 17) / fgn_autocovariance(0.9, 16);
  EXPECT_LT(before, across);
  EXPECT_LT(across, after);
}

// Over many short series: each x_t is N(0, 1), and the mean of x_0 x_k is gamma(k); bounds of 4.5 standard
// errors.
TEST(Fgn, HasItsAutocovariance) {
  constexpr size_t kSeries = 20000;
  for (double h : {0.3, 0.7, 0.9}) {
    std::vector<double> products(9);
    std::vector<double> first;
    for (uint32_t s = 0; s < kSeries; ++s) {
      const std::vector<double> x = fgn(9, h, kRandom, s);
      for (size_t k = 0; k < 9; ++k) products[k] += x[0] * x[k] / kSeries;
      first.push_back(normal_cdf(x[4]));
    }
    for (size_t k = 0; k < 9; ++k) {
      const double g = fgn_autocovariance(h, k);
      EXPECT_NEAR(products[k], g, 4.5 * std::sqrt((1 + g * g) / kSeries)) << h << " " << k;
    }
    std::sort(first.begin(), first.end());
    EXPECT_GT(ks_uniform(first).p_value, 1e-4) << h;
  }
}

// The sum of n values has variance n^2H: over 4,000 series of 256.
TEST(Fgn, SumsAreSelfSimilar) {
  for (double h : {0.6, 0.85}) {
    double power = 0;
    for (uint32_t s = 0; s < 4000; ++s) {
      double sum = 0;
      for (double x : fgn(256, h, kRandom, s)) sum += x;
      power += sum * sum / 4000;
    }
    const double expected = std::pow(256.0, 2 * h);
    EXPECT_NEAR(power / expected, 1, 4.5 * std::sqrt(2.0 / 4000)) << h;
  }
}

TEST(Fgn, IsWhiteNoiseAtHalf) {
  const std::vector<double> x = fgn(20000, 0.5, kRandom);
  EXPECT_GT(ljung_box(x).p_value, 1e-3);
}

TEST(Fgn, IsAFunctionOfItsKey) {
  EXPECT_EQ(fgn(100, 0.8, kRandom, 3), fgn(100, 0.8, kRandom, 3));
  EXPECT_NE(fgn(100, 0.8, kRandom, 3), fgn(100, 0.8, kRandom, 4));
  EXPECT_EQ(fgn(1, 0.8, kRandom).size(), 1u);
}

TEST(Fgn, RefusesWhatItCannotMake) {
  EXPECT_THROW(fgn(10, 1, kRandom), Error);
  EXPECT_THROW(fgn(10, NAN, kRandom), Error);
  EXPECT_THROW(fgn(0, 0.7, kRandom), Error);
  EXPECT_THROW(fgn(kFgnMaxSize + 1, 0.7, kRandom), Error);
}

}  // namespace
}  // namespace mlq::stats
