#include "lib/tune/learn/gp.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lib/tune/learn/acquisition.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

const std::vector<Level> kOne{Level{"r0", 100, false}};

GpRows rows_at(const Features& features, const std::vector<PointId>& points, std::vector<double> y) {
  GpRows rows;
  rows.x.resize(points.size() * features.columns());
  for (size_t k = 0; k < points.size(); ++k)
    features.encode(points[k], std::span<double>(rows.x).subspan(k * features.columns(), features.columns()));
  rows.level.assign(points.size(), 0);
  rows.own_var.assign(points.size(), 0.0);
  rows.y = std::move(y);
  return rows;
}

GpRows random_rows(const Features& features, size_t n, uint64_t seed, LevelId levels = 1) {
  Draws draws(seed, Purpose::design, 0);
  std::vector<PointId> points;
  std::vector<double> y;
  for (size_t k = 0; k < n; ++k) {
    points.push_back(features.space().draw(draws));
    y.push_back(draws.normal());
  }
  GpRows rows = rows_at(features, points, y);
  for (size_t k = 0; k < n; ++k) {
    rows.level[k] = static_cast<LevelId>(draws.below(levels));
    rows.own_var[k] = 0.1 * draws.uniform();
  }
  return rows;
}

double matern(double rho) {
  return (1 + std::sqrt(5) * rho + 5 * rho * rho / 3) * std::exp(-std::sqrt(5) * rho);
}

// The covariance of two points by the formula, with libm.
double covariance(const Features& features, const GpHyper& hyper, const double* a, LevelId s, const double* b,
                  LevelId t, std::span<const Level> levels) {
  double rho2 = 0;
  for (size_t c = 0; c < features.columns(); ++c) {
    const double d = (a[c] - b[c]) / std::exp(hyper.ln_l[features.axis_of(c)]);
    rho2 += features.weight(c) * d * d;
  }
  double q = 1;
  if (s != t) {
    const double octaves = std::fabs(std::log2(levels[s].rate_per_s / levels[t].rate_per_s));
    q = std::pow(hyper.carry, octaves + (levels[s].bursty != levels[t].bursty ? 1 : 0));
  }
  return std::exp(2 * hyper.ln_v) * matern(std::sqrt(rho2)) * q + (s == t ? std::exp(2 * hyper.ln_b) : 0.0);
}

// Gauss-Jordan with pivots: A^-1 and ln det A.
std::vector<double> inverse(std::vector<double> a, size_t n, double& log_det) {
  std::vector<double> out(n * n, 0.0);
  for (size_t k = 0; k < n; ++k) out[k * n + k] = 1;
  log_det = 0;
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t r = k; r < n; ++r)
      if (std::fabs(a[r * n + k]) > std::fabs(a[pivot * n + k])) pivot = r;
    for (size_t c = 0; c < n; ++c) {
      std::swap(a[k * n + c], a[pivot * n + c]);
      std::swap(out[k * n + c], out[pivot * n + c]);
    }
    const double p = a[k * n + k];
    log_det += std::log(std::fabs(p));
    for (size_t c = 0; c < n; ++c) {
      a[k * n + c] /= p;
      out[k * n + c] /= p;
    }
    for (size_t r = 0; r < n; ++r) {
      if (r == k) continue;
      const double f = a[r * n + k];
      for (size_t c = 0; c < n; ++c) {
        a[r * n + c] -= f * a[k * n + c];
        out[r * n + c] -= f * out[k * n + c];
      }
    }
  }
  return out;
}

TEST(Gp, ThreePointsSolvedByHand) {
  const Space space = test::cube(1, 3);  // x = 0, 1/2, 1
  const Features features(space);
  Gp gp(features);
  GpHyper hyper = gp.hyper();
  hyper.ln_l = {0};     // l = 1
  hyper.ln_v = 0;       // v = 1
  hyper.ln_noise = -1;  // v_n^2 = e^-2
  hyper.ln_b = -20;     // none
  gp.set_hyper(hyper);
  gp.condition(rows_at(features, {0, 2}, {1.0, -1.0}), kOne);
  // Rows at 0 and 1 with targets 1 and -1: K = [[a, m], [m, a]], a = 1 + e^-2, m = M(1), so that
  // K^-1 y = (1, -1) / (a - m). At the middle both covariances are M(1/2): the mean is 0 by symmetry and
  // the variance 1 - 2 M(1/2)^2 / (a + m).
  const double a = 1 + std::exp(-2.0) + 1e-8, m = matern(1), h = matern(0.5);
  EXPECT_NEAR(gp.predict(1, 0).mean, 0, 1e-12);
  EXPECT_NEAR(gp.predict(1, 0).sd, std::sqrt(1 - 2 * h * h / (a + m)), 1e-12);
  EXPECT_NEAR(gp.predict(0, 0).mean, (1 - m) / (a - m), 1e-12);
}

TEST(Gp, PosteriorAndLikelihoodAreThoseOfADenseSolve) {
  std::vector<Axis> axes{test::counting_axis("a", 7),
                         test::list_axis("b", {std::string("x"), std::string("y"), std::string("z")}),
                         test::bool_axis("c")};
  const Space space(std::move(axes), {}, {});
  const Features features(space);
  const std::vector<Level> levels{{"r0", 100, false}, {"r1", 300, false}, {"r1c1", 300, true}};
  const GpRows rows = random_rows(features, 30, 5, 3);
  Gp gp(features);
  GpHyper hyper = gp.hyper();
  hyper.ln_l = {-1, -0.5, 0.3};
  hyper.ln_v = 0.2;
  hyper.carry = 0.6;
  gp.set_hyper(hyper);
  gp.condition(rows, levels);

  const size_t n = rows.size(), d = features.columns();
  std::vector<double> k(n * n);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) {
      k[i * n + j] =
          covariance(features, hyper, &rows.x[i * d], rows.level[i], &rows.x[j * d], rows.level[j], levels);
      if (i == j) k[i * n + j] += std::exp(2 * hyper.ln_noise) + rows.own_var[i] + 1e-8;
    }
  double log_det = 0;
  const std::vector<double> inv = inverse(k, n, log_det);
  double square = 0;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) square += rows.y[i] * inv[i * n + j] * rows.y[j];
  EXPECT_NEAR(gp.log_marginal_likelihood(), -0.5 * square - 0.5 * log_det - 0.5 * n * std::log(2 * M_PI),
              1e-8);

  std::vector<double> x(d);
  for (const LevelId level : {0u, 1u, 2u}) {
    for (const PointId point : space.points()) {
      features.encode(point, x);
      std::vector<double> c(n);
      for (size_t i = 0; i < n; ++i)
        c[i] = covariance(features, hyper, x.data(), level, &rows.x[i * d], rows.level[i], levels);
      double mean = 0, explained = 0;
      for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) {
          mean += c[i] * inv[i * n + j] * rows.y[j];
          explained += c[i] * inv[i * n + j] * c[j];
        }
      const double prior = std::exp(2 * hyper.ln_v) + std::exp(2 * hyper.ln_b);
      const Posterior p = gp.predict(point, level);
      EXPECT_NEAR(p.mean, mean, 1e-8);
      EXPECT_NEAR(p.sd, std::sqrt(prior - explained), 1e-7);
      EXPECT_NEAR(gp.mean_at(x, level), mean, 1e-8);
    }
  }
}

TEST(Gp, GrownByRowsHasTheBitsOfOneMadeAtOnce) {
  const Space space = test::cube(3, 9);
  const Features features(space);
  const GpRows all = random_rows(features, 60, 3);
  Gp grown(features), whole(features);
  for (const size_t n : {20u, 21u, 25u, 60u}) {
    GpRows some = all;
    some.x.resize(n * features.columns());
    some.level.resize(n);
    some.own_var.resize(n);
    some.y.resize(n);
    for (double& y : some.y) y *= static_cast<double>(n);  // targets may differ
    grown.condition(some, kOne);
    if (n == 60) whole.condition(some, kOne);
  }
  EXPECT_EQ(grown.log_marginal_likelihood(), whole.log_marginal_likelihood());
  for (const PointId point : {0u, 100u, 700u}) {
    EXPECT_EQ(grown.predict(point, 0).mean, whole.predict(point, 0).mean);
    EXPECT_EQ(grown.predict(point, 0).sd, whole.predict(point, 0).sd);
  }
}

TEST(Gp, LeavingOneOutIsConditioningOnTheOthers) {
  const Space space = test::cube(2, 8);
  const Features features(space);
  const GpRows all = random_rows(features, 12, 9);
  Gp gp(features);
  gp.condition(all, kOne);
  const std::vector<double> residuals = gp.leave_one_out();
  for (size_t out = 0; out < all.size(); ++out) {
    GpRows others;
    for (size_t k = 0; k < all.size(); ++k) {
      if (k == out) continue;
      for (size_t c = 0; c < features.columns(); ++c) others.x.push_back(all.x[k * features.columns() + c]);
      others.level.push_back(0);
      others.own_var.push_back(all.own_var[k]);
      others.y.push_back(all.y[k]);
    }
    Gp rest(features);
    rest.condition(others, kOne);
    const std::span<const double> x(&all.x[out * features.columns()], features.columns());
    EXPECT_NEAR(residuals[out], all.y[out] - rest.mean_at(x, 0), 1e-9);
  }
}

TEST(Gp, PosteriorAtARowIsThatOfItsPoint) {
  const Space space = test::cube(2, 8);
  const Features features(space);
  Gp gp(features);
  gp.condition(rows_at(features, {3, 17, 40}, {0.5, -1, 1}), kOne);
  EXPECT_NEAR(gp.at_row(1).mean, gp.predict(17, 0).mean, 1e-7);
  EXPECT_NEAR(gp.at_row(1).sd, gp.predict(17, 0).sd, 1e-7);
}

TEST(Gp, TheFitFindsTheAxisThatMatters) {
  const Space space = test::cube(2, 11);
  const Features features(space);
  Draws draws(4, Purpose::design, 0);
  std::vector<PointId> points;
  std::vector<double> y;
  for (int k = 0; k < 60; ++k) {
    points.push_back(space.draw(draws));
    y.push_back(1.5 * std::sin(6 * space.step(points.back(), 0) / 10.0) + 0.1 * draws.normal());
  }
  Gp gp(features);
  Draws fit(1, Purpose::estimator, 0);
  const double before = (gp.condition(rows_at(features, points, y), kOne), gp.log_marginal_likelihood());
  gp.fit(rows_at(features, points, y), kOne, fit);
  EXPECT_GT(gp.log_marginal_likelihood(), before + 5);
  EXPECT_LT(gp.hyper().ln_l[0] + 0.5, gp.hyper().ln_l[1]);
}

TEST(Gp, RowsThatAreTheSamePointDoNotBreakIt) {
  const Space space = test::cube(2, 5);
  const Features features(space);
  Gp gp(features);
  GpHyper hyper = gp.hyper();
  hyper.ln_noise = -30;
  gp.set_hyper(hyper);
  gp.condition(rows_at(features, std::vector<PointId>(50, 7), std::vector<double>(50, 2.0)), kOne);
  EXPECT_NEAR(gp.predict(7, 0).mean, 2, 0.01);
}

TEST(Acquisition, ExpectedImprovementIsItsIntegral) {
  for (const double mean : {-1.0, 0.0, 0.4, 3.0}) {
    for (const double sd : {0.05, 0.5, 2.0}) {
      double sum = 0;
      const double h = 1e-4;
      for (double z = -12; z < 12; z += h) {
        const double mid = z + h / 2, y = mean + sd * mid;
        sum += std::max(0.0, 0.3 - y) * std::exp(-mid * mid / 2) / std::sqrt(2 * M_PI) * h;
      }
      EXPECT_NEAR(expected_improvement(mean, sd, 0.3), sum, 1e-7);
    }
  }
}

TEST(Acquisition, ExpectedImprovementFallsOffSmoothlyFarAway) {
  double last = expected_improvement(0, 1, -15);
  for (double best = -15.1; best > -35; best -= 0.1) {
    const double here = expected_improvement(0, 1, best);
    EXPECT_LT(here, last);
    EXPECT_GT(here, last * 0.01);
    last = here;
  }
  EXPECT_EQ(expected_improvement(1, 0, 3), 2);
}

TEST(Acquisition, ValuesGoFromTheEstimateToTheObservation) {
  EXPECT_EQ(blended_value(0, 5, 2, 1), 2);
  EXPECT_EQ(blended_value(1, 5, 2, 1), 3.5);
  EXPECT_NEAR(blended_value(1000, 5, 2, 1), 5, 0.01);
  const std::vector<double> residuals(20, 0.3);
  EXPECT_EQ(blend_tau(0.01, residuals.data(), 9), 1);
  EXPECT_NEAR(blend_tau(0.01, residuals.data(), 20), 0.01 / (0.09 - 0.01), 1e-12);
}

}  // namespace
}  // namespace mlq::tune
