#include "lib/stats/acf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::stats {
namespace {

// x_t = phi x_(t-1) + z_t, far from zero.
std::vector<double> autoregression(size_t n, double phi, uint64_t seed) {
  const RandomStream stream(seed, Purpose::modulator);
  std::vector<double> x(n);
  double v = 0;
  for (size_t t = 0; t < n; ++t) {
    v = phi * v + fmath::normal_quantile(stream.uniform(t));
    x[t] = 1e6 + v;
  }
  return x;
}

TEST(Autocorrelation, OfHandMadeSeries) {
  const std::vector<double> r = autocorrelation(std::vector<double>{1, 2, 3, 4}, 5);
  EXPECT_DOUBLE_EQ(r[0], 1);
  EXPECT_DOUBLE_EQ(r[1], 1.25 / 5);
  EXPECT_DOUBLE_EQ(r[2], -1.5 / 5);
  EXPECT_DOUBLE_EQ(r[3], -2.25 / 5);
  EXPECT_EQ(r[4], 0);
  EXPECT_EQ(r[5], 0);
}

TEST(Autocorrelation, OfAConstantIsNaN) {
  EXPECT_TRUE(std::isnan(autocorrelation(std::vector<double>(9, 3.0), 2)[1]));
  EXPECT_TRUE(std::isnan(autocorrelation({}, 2)[0]));
}

TEST(Autocorrelation, OfAnAutoregressionFallsGeometrically) {
  const std::vector<double> r = autocorrelation(autoregression(100000, 0.7, 1), 10);
  for (size_t k = 0; k <= 10; ++k) EXPECT_NEAR(r[k], std::pow(0.7, k), 0.025) << k;
}

TEST(Autocorrelation, TheFftAgreesWithTheSums) {
  const std::vector<double> x = autoregression(5000, 0.5, 2);
  const std::vector<double> direct = autocorrelation(x, 200);
  const std::vector<double> fast = autocorrelation(x, 201);
  for (size_t k = 0; k <= 200; ++k) EXPECT_NEAR(fast[k], direct[k], 1e-13) << k;
}

TEST(StreamingAutocorrelation, AgreesWithTheWholeSeries) {
  for (size_t n : {3u, 50u, 51u, 4000u}) {
    const std::vector<double> x = autoregression(n, 0.6, 3);
    StreamingAutocorrelation stream(50);
    for (const double v : x) stream.add(v);
    const std::vector<double> expected = autocorrelation(x, 50);
    const std::vector<double> got = stream.result();
    for (size_t k = 0; k <= 50; ++k) EXPECT_NEAR(got[k], expected[k], 1e-9) << n << " " << k;
  }
  EXPECT_TRUE(std::isnan(StreamingAutocorrelation(3).result()[1]));
}

TEST(AutocorrelationBound, OfFourHundredValues) { EXPECT_NEAR(autocorrelation_bound(400), 0.098, 1e-4); }

}  // namespace
}  // namespace mlq::stats
