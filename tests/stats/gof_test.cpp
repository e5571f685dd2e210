#include "lib/stats/gof.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::stats {
namespace {

constexpr double kThird = 1.0 / 3;

// n uniforms of sample `seed`.
std::vector<double> uniforms(size_t n, uint64_t seed) {
  const RandomStream stream(seed, Purpose::gaps);
  std::vector<double> u(n);
  for (size_t i = 0; i < n; ++i) u[i] = stream.uniform(i);
  return u;
}

std::vector<double> sorted(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<double> exponentials(size_t n, uint64_t seed) {
  std::vector<double> x = uniforms(n, seed);
  for (double& v : x) v = -fmath::log(v);
  return x;
}

// Gamma gaps of shape k by the method of Marsaglia and Tsang (2000), k > 1/3.
std::vector<double> gamma_gaps(size_t n, double shape, uint64_t seed) {
  const RandomStream stream(seed, Purpose::gaps);
  const double boosted = shape < 1 ? shape + 1 : shape;
  const double d = boosted - kThird;
  const double c = kThird / std::sqrt(d);
  std::vector<double> x(n);
  for (size_t i = 0; i < n; ++i) {
    for (uint32_t attempt = 0;; ++attempt) {
      const UniformPair u = stream.uniforms(i, attempt);
      const double z = fmath::normal_quantile(u.a);
      const double v = (1 + c * z) * (1 + c * z) * (1 + c * z);
      if (v > 0 && fmath::log(u.b) < z * z / 2 + d - d * v + d * fmath::log(v)) {
        x[i] = d * v;
        break;
      }
    }
    if (shape < 1) x[i] *= fmath::pow(stream.uniform(i, 1000), 1 / shape);
  }
  return x;
}

TEST(KsDistance, OfHandMadeSamples) {
  EXPECT_DOUBLE_EQ(ks_distance(std::vector<double>{0.5}), 0.5);
  EXPECT_DOUBLE_EQ(ks_distance(std::vector<double>{0.25, 0.75}), 0.25);
  EXPECT_DOUBLE_EQ(ks_distance(std::vector<double>{0.1, 0.2, 0.3}), 0.7);
  EXPECT_DOUBLE_EQ(ks_distance(std::vector<double>{0.8, 0.9}), 0.8);
}

TEST(AndersonDarlingStatistic, OfOneValueIsItsClosedForm) {
  EXPECT_NEAR(anderson_darling_statistic(std::vector<double>{0.5}), -1 + 2 * std::log(2.0), 1e-15);
  EXPECT_NEAR(anderson_darling_statistic(std::vector<double>{0.2}), -1 - std::log(0.2 * 0.8), 1e-15);
  EXPECT_TRUE(std::isfinite(anderson_darling_statistic(std::vector<double>{0.0, 1.0})));
}

TEST(Gof, EmptyOrTooSmallGivesNoVerdict) {
  const std::vector<double> none;
  const std::vector<double> few{1, 2, 3};
  EXPECT_TRUE(std::isnan(ks_uniform(none).p_value));
  EXPECT_TRUE(std::isnan(anderson_darling_uniform(none).p_value));
  EXPECT_TRUE(std::isnan(ks_exponential(none).p_value));
  EXPECT_TRUE(std::isnan(ks_exponential(few).p_value));
  EXPECT_TRUE(std::isnan(anderson_darling_exponential(few).p_value));
  EXPECT_TRUE(std::isnan(lewis_test(std::vector<double>{1.0}).p_value));
  EXPECT_TRUE(std::isnan(ljung_box(few).p_value));
  EXPECT_TRUE(std::isnan(runs_test(few).p_value));
  EXPECT_TRUE(std::isnan(dispersion_test(1, 29).p_value));
  EXPECT_TRUE(std::isnan(ks_two_sample(few, none).p_value));
  EXPECT_TRUE(std::isnan(ks_exponential(std::vector<double>(20, 0.0)).p_value));
}

TEST(DurbinTransform, OfEqualSpacingsPutsEveryPointAtOne) {
  for (const double s : durbin_transform(std::vector<double>(5, 2.0))) EXPECT_DOUBLE_EQ(s, 1);
}

TEST(DurbinTransform, OfHandMadeSpacings) {
  // Sorted 1 2 5, T = 8: Z = 3*1, 2*1, 1*3.
  const std::vector<double> s = durbin_transform(std::vector<double>{5, 1, 2});
  ASSERT_EQ(s.size(), 2u);
  EXPECT_DOUBLE_EQ(s[0], 3.0 / 8);
  EXPECT_DOUBLE_EQ(s[1], 5.0 / 8);
}

TEST(LogTransform, OfHandMadePiece) {
  std::vector<double> y;
  append_log_transform(std::vector<double>{11, 15, 20}, 10, 20, y);
  ASSERT_EQ(y.size(), 2u);  // the arrival at the end is left out
  EXPECT_NEAR(y[0], 2 * std::log(10.0 / 9), 1e-15);
  EXPECT_NEAR(y[1], 1 * std::log(9.0 / 5), 1e-15);
}

// 50 pieces whose rates differ by a factor of 20: exponential after the transform, far from it before.
TEST(LogTransform, MakesPiecesOfDifferentRatesExponential) {
  std::vector<double> y;
  std::vector<double> gaps;
  for (uint64_t piece = 0; piece < 50; ++piece) {
    const double rate = piece % 2 == 0 ? 4 : 80;
    const std::vector<double> e = exponentials(400, 1000 + piece);
    std::vector<double> times;
    double t = 0;
    for (double x : e) {
      t += x / rate;
      if (t >= 1) break;
      gaps.push_back(x / rate);
      times.push_back(t);
    }
    append_log_transform(times, 0, 1, y);
  }
  EXPECT_GT(lewis_test(y).p_value, 0.01);
  EXPECT_GT(anderson_darling_exponential(sorted(y)).p_value, 0.01);
  EXPECT_LT(lewis_test(gaps).p_value, 1e-6);
}

TEST(ChiSquareTest, OfHandMadeCells) {
  const TestResult r = chi_square_test(std::vector<uint64_t>{10, 20, 30}, std::vector<double>{20, 20, 20});
  EXPECT_DOUBLE_EQ(r.statistic, 10);
  EXPECT_DOUBLE_EQ(r.df, 2);
  EXPECT_NEAR(r.p_value, std::exp(-5.0), 1e-15);
  EXPECT_NEAR(r.limit, -2 * std::log(0.01), 1e-9);
  EXPECT_EQ(r.n, 60u);
}

TEST(ChiSquareTest, JoinsSmallCellsWithTheirNeighbours) {
  // 2 + 4 -> 6, 7, 3 + 1 (too small at the end) joins the 7.
  const TestResult r =
      chi_square_test(std::vector<uint64_t>{1, 3, 10, 2, 1}, std::vector<double>{2, 4, 7, 3, 1});
  EXPECT_DOUBLE_EQ(r.df, 1);
  EXPECT_NEAR(r.statistic, 4.0 / 6 + 4.0 / 11, 1e-15);
  EXPECT_TRUE(std::isnan(chi_square_test(std::vector<uint64_t>{3}, std::vector<double>{9}).p_value));
}

TEST(DispersionTest, IsTwoSided) {
  EXPECT_GT(dispersion_test(1, 100).p_value, 0.9);
  EXPECT_LT(dispersion_test(2, 100).p_value, 1e-5);
  EXPECT_LT(dispersion_test(0.3, 100).p_value, 1e-5);
  EXPECT_GT(dispersion_test(2, 100).limit, 99);
  EXPECT_LT(dispersion_test(0.3, 100).limit, 99);
}

TEST(LjungBox, SeesAnAutoregression) {
  std::vector<double> x = uniforms(2000, 3);
  EXPECT_GT(ljung_box(x).p_value, 0.001);
  for (size_t i = 1; i < x.size(); ++i) x[i] += 0.3 * x[i - 1];
  EXPECT_LT(ljung_box(x).p_value, 1e-9);
}

TEST(LjungBox, DependsOnRanksAlone) {
  std::vector<double> x = uniforms(500, 4);
  std::vector<double> heavy = x;
  for (double& v : heavy) v = fmath::exp(20 * v);
  EXPECT_EQ(ljung_box(x).statistic, ljung_box(heavy).statistic);
}

TEST(RunsTest, OfHandMadeSequences) {
  std::vector<double> alternating(100);
  for (size_t i = 0; i < 100; ++i) alternating[i] = i % 2 == 0 ? 0 : 1;
  // 100 runs where 51 are expected with variance 50*49/99.
  EXPECT_NEAR(runs_test(alternating).statistic, 49 / std::sqrt(50.0 * 49 / 99), 1e-12);
  std::vector<double> rising(100);
  std::iota(rising.begin(), rising.end(), 0.0);
  EXPECT_NEAR(runs_test(rising).statistic, -49 / std::sqrt(50.0 * 49 / 99), 1e-12);
  EXPECT_LT(runs_test(rising).limit, 0);
}

TEST(KsTwoSample, OfHandMadeSamples) {
  const std::vector<double> a{1, 2, 3, 4};
  const std::vector<double> b{3, 4, 5, 6, 7};
  const double n = 20.0 / 9;
  const double lambda = (std::sqrt(n) + 0.12 + 0.11 / std::sqrt(n)) * 0.6;
  EXPECT_NEAR(ks_two_sample(a, b).statistic, lambda, 1e-14);
  EXPECT_EQ(ks_two_sample(a, a).statistic, 0);
}

TEST(Moments, OfHandMadeValues) {
  const Moments m = moments(std::vector<double>{1, 2, 3, 10});
  EXPECT_DOUBLE_EQ(m.mean, 4);
  EXPECT_DOUBLE_EQ(m.cv, std::sqrt(12.5) / 4);
  EXPECT_DOUBLE_EQ(m.skewness, (-27 - 8 - 1 + 216) / 4.0 / std::pow(12.5, 1.5));
  EXPECT_TRUE(std::isnan(moments({}).mean));
  EXPECT_TRUE(std::isnan(moments(std::vector<double>{1, 1}).skewness));
}

// For the exponential law the large-sample errors are mean/sqrt(n), 1/sqrt(n) and sqrt(72/n).
TEST(Moments, StandardErrorsOfExponentials) {
  const size_t n = 400000;
  const Moments m = moments(exponentials(n, 5));
  const double root = std::sqrt(static_cast<double>(n));
  EXPECT_NEAR(m.mean_error * root, 1, 0.02);
  EXPECT_NEAR(m.cv_error * root, 1, 0.05);
  EXPECT_NEAR(m.skewness_error * root, std::sqrt(72.0), 1.5);
  EXPECT_GT(moment_test(m.mean, 1, m.mean_error, n).p_value, 0.001);
  EXPECT_GT(moment_test(m.cv, 1, m.cv_error, n).p_value, 0.001);
  EXPECT_GT(moment_test(m.skewness, 2, m.skewness_error, n).p_value, 0.001);
  EXPECT_LT(moment_test(m.mean, 1.01, m.mean_error, n).p_value, 1e-6);
  EXPECT_TRUE(std::isnan(moment_test(1, 1, 0, n).p_value));
}

TEST(Holm, OfTheTextbookExample) {
  const std::vector<double> p{0.01, 0.04, 0.03, 0.005, NAN};
  const HolmResult r = holm(p, 0.05);
  EXPECT_DOUBLE_EQ(r.adjusted[3], 0.02);
  EXPECT_DOUBLE_EQ(r.adjusted[0], 0.03);
  EXPECT_DOUBLE_EQ(r.adjusted[2], 0.06);
  EXPECT_DOUBLE_EQ(r.adjusted[1], 0.06);  // never below the one before
  EXPECT_TRUE(std::isnan(r.adjusted[4]));
  EXPECT_EQ(r.failed, (std::vector<bool>{true, false, false, true, false}));
}

// ---- Second level: under the null the p-values of many samples are uniform.

TestResult p_values_of(size_t replications, uint64_t seed, const std::function<double(uint64_t)>& p_value) {
  std::vector<double> p(replications);
  for (size_t r = 0; r < replications; ++r) p[r] = p_value(seed + r);
  return ks_uniform(sorted(p));
}

TEST(NullHypothesis, PValuesAreUniform) {
  const size_t n = 1000;
  const size_t reps = 600;
  const auto check = [&](const char* name, const std::function<double(uint64_t)>& p_value) {
    EXPECT_GT(p_values_of(reps, 50000, p_value).p_value, 1e-3) << name;
  };
  check("ks_uniform", [&](uint64_t s) { return ks_uniform(sorted(uniforms(n, s))).p_value; });
  check("ad_uniform", [&](uint64_t s) { return anderson_darling_uniform(sorted(uniforms(n, s))).p_value; });
  check("ad_uniform, n 8",
        [&](uint64_t s) { return anderson_darling_uniform(sorted(uniforms(8, s))).p_value; });
  check("ks_exponential", [&](uint64_t s) { return ks_exponential(sorted(exponentials(n, s))).p_value; });
  check("ad_exponential",
        [&](uint64_t s) { return anderson_darling_exponential(sorted(exponentials(n, s))).p_value; });
  check("lewis", [&](uint64_t s) { return lewis_test(exponentials(n, s)).p_value; });
  check("ljung_box", [&](uint64_t s) { return ljung_box(uniforms(n, s)).p_value; });
  check("runs", [&](uint64_t s) { return runs_test(uniforms(n, s)).p_value; });
  check("moments", [&](uint64_t s) {
    return moment_test(moments(uniforms(n, s)).mean, 0.5, 1 / std::sqrt(12.0 * n), n).p_value;
  });
  check("two_sample", [&](uint64_t s) {
    return ks_two_sample(sorted(uniforms(n, s)), sorted(uniforms(700, s + 7777))).p_value;
  });
}

// ---- Size and power at 1% against gamma gaps, n = 1,000: the table of the design, with 400 samples an
// entry. Bounds are five binomial standard errors (and at least 0.02).

struct Power {
  double cv, lewis, d_star, a_star;
};

void expect_share(int rejected, int reps, double expected, const char* name, double cv) {
  const double bound = std::max(0.02, 5 * std::sqrt(expected * (1 - expected) / reps));
  EXPECT_NEAR(static_cast<double>(rejected) / reps, expected, bound) << name << " cv " << cv;
}

TEST(Power, AgainstGammaGapsAsComputedInTheDesign) {
  constexpr int kReps = 400;
  constexpr Power kTable[] = {{0.8, 1.00, 1.00, 1.00},
                              {0.9, 0.94, 0.94, 0.99},
                              {1.0, 0.009, 0.008, 0.009},
                              {1.1, 0.87, 0.87, 0.98},
                              {1.2, 1.00, 1.00, 1.00}};
  for (const Power& row : kTable) {
    int lewis = 0;
    int d_star = 0;
    int a_star = 0;
    for (uint64_t r = 0; r < kReps; ++r) {
      const std::vector<double> gaps = sorted(gamma_gaps(1000, 1 / (row.cv * row.cv), 90000 + r));
      lewis += lewis_test(gaps).p_value < 0.01;
      d_star += ks_exponential(gaps).p_value < 0.01;
      a_star += anderson_darling_exponential(gaps).p_value < 0.01;
    }
    expect_share(lewis, kReps, row.lewis, "Lewis", row.cv);
    expect_share(d_star, kReps, row.d_star, "D*", row.cv);
    expect_share(a_star, kReps, row.a_star, "A*", row.cv);
  }
}

}  // namespace
}  // namespace mlq::stats
