#include <cmath>
#include <limits>

#include "lib/base/fmath.h"
#include "lib/simigrad/estimate/estimator.h"
#include "lib/simigrad/estimate/target.h"
#include "lib/stats/student.h"
#include "tests/simigrad/grams.h"

namespace mlq::simigrad::test {
namespace {

Observation point(double a, double s, uint64_t batch = 128, uint64_t step = 0) {
  Observation o;
  o.step = step;
  o.batch_samples = batch;
  o.groups = 2;
  o.a = a;
  o.s = s;
  o.cos = 0.5;
  return o;
}

EstimatorOptions equal_weights(uint64_t steps) {
  EstimatorOptions options;
  options.smoothing.kind = Smoothing::Kind::window;
  options.smoothing.steps = steps;
  return options;
}

TEST(Target, HasThreeSpellings) {
  const struct {
    double gamma, kappa, theta;
  } rows[] = {{0.1, 0.222, 2.12}, {0.2, 0.5, 1.41}, {1.0 / 3, 1, 1},
              {0.5, 2, 0.707},    {0.75, 6, 0.408}, {0.8, 8, 0.354}};
  for (const auto& row : rows) {
    const Target t = Target::of_gamma(row.gamma);
    EXPECT_NEAR(t.kappa(), row.kappa, 0.0005);
    EXPECT_NEAR(t.theta(), row.theta, 0.005);
    EXPECT_NEAR(Target::of_kappa(t.kappa()).gamma(), row.gamma, 1e-15);
    EXPECT_NEAR(Target::of_theta(t.theta()).gamma(), row.gamma, 1e-15);
    EXPECT_NEAR(Target::of_theta(t.theta()).kappa(), t.kappa(), 1e-14);
    EXPECT_EQ(Target::of_gamma(row.gamma).gamma(), row.gamma);
  }
  for (const double bad : {0.0, 1.0, -0.5, 2.0, std::nan("")}) EXPECT_THROW(Target::of_gamma(bad), Error);
  for (const double bad : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    EXPECT_THROW(Target::of_kappa(bad), Error);
    EXPECT_THROW(Target::of_theta(bad), Error);
  }
}

TEST(Moments, OfEqualWeightsAreTheSamplesMeanAndItsVariance) {
  Estimator e(equal_weights(100));
  const double a[] = {1, 3, 2, 6};
  const double s[] = {10, 20, 40, 10};
  for (size_t i = 0; i < 4; ++i) e.add(point(a[i], s[i]));
  const Moments m = moments(e.points());
  EXPECT_DOUBLE_EQ(m.a, 3);
  EXPECT_DOUBLE_EQ(m.s, 20);
  EXPECT_DOUBLE_EQ(m.n_eff, 4);
  EXPECT_DOUBLE_EQ(m.v_aa, (4 + 0 + 1 + 9) / 3.0 / 4);  // sample variance / n
  EXPECT_DOUBLE_EQ(m.v_ss, (100 + 0 + 400 + 100) / 3.0 / 4);
  EXPECT_DOUBLE_EQ(m.v_as, (20 + 0 - 20 - 30) / 3.0 / 4);
  EXPECT_DOUBLE_EQ(m.d_eff, 2 * 20 * 20 / 200.0);  // rel.var(s) = 2 / d_eff for two groups
}

TEST(Moments, EmaWeighsByAge) {
  Estimator e({});
  double a = 0, weight = 0;
  for (int i = 0; i < 300; ++i) {
    e.add(point(i, 1));
    a = 0.9 * a + i;
    weight = 0.9 * weight + 1;
  }
  EXPECT_EQ(e.points().size(), 132u);  // 0.9^131 is the last weight of 1e-6 or more
  EXPECT_NEAR(e.signal().a, a / weight, 0.001);
  EXPECT_NEAR(e.signal().n_eff, 19, 0.01);  // (1 + 0.9) / (1 - 0.9)
}

TEST(Moments, HalflifeCountsSamplesNotSteps) {
  EstimatorOptions options;
  options.smoothing.kind = Smoothing::Kind::halflife;
  options.smoothing.halflife = 1000;
  Estimator e(options);
  e.add(point(8, 1, 100));
  e.add(point(1, 1, 1000));
  e.add(point(1, 1, 2000));
  // Seen since: 3000 samples after the first step, 2000 after the second.
  const double w[] = {0.125, 0.25, 1};
  EXPECT_NEAR(e.signal().a, (8 * w[0] + w[1] + w[2]) / (w[0] + w[1] + w[2]), 1e-14);
}

TEST(Moments, TheWindowIsAllThatCounts) {
  Estimator e(equal_weights(3));
  for (const double a : {1000.0, 1.0, 2.0, 3.0}) e.add(point(a, 1));
  EXPECT_DOUBLE_EQ(e.signal().a, 2);
}

TEST(Window, GoesBackToWhereItWas) {
  Estimator e({}), other({});
  for (int i = 0; i < 20'000; ++i) {
    e.add(point(i, 1));
    if (i < 18'000) other.add(point(i, 1));
  }
  ASSERT_TRUE(e.rewind(18'000));
  EXPECT_EQ(e.signal().a, other.signal().a);
  EXPECT_EQ(e.points().size(), other.points().size());
  EXPECT_FALSE(e.rewind(1000));
  EXPECT_EQ(e.pushed(), 18'000u);
}

TEST(Signal, NeverClampsBeforeItAverages) {
  Estimator e(equal_weights(10));
  for (const double a : {-3.0, 1.0}) e.add(point(a, 10));
  EXPECT_DOUBLE_EQ(e.signal().a, -1);
  EXPECT_TRUE(std::isnan(e.signal().b_simple()));
  e.add(point(5, 10));
  EXPECT_DOUBLE_EQ(e.signal().b_simple(), 10);
}

TEST(Signal, KeepsTheLaw) {
  Signal s;
  s.a = 2;
  s.s = 100;  // B_simple = 50
  EXPECT_DOUBLE_EQ(s.rho(200), 1 / (1 + 2 * 50 / 200.0));
  // AdaScale's gain is the ratio of similarities, and at most the ratio of batches.
  EXPECT_DOUBLE_EQ(s.gain(200, 100), (2 + 1) / (2 + 0.5));
  s.a = -1;
  EXPECT_DOUBLE_EQ(s.gain(200, 100), 2);
}

TEST(Fieller, HoldsWhatTheQuadraticHolds) {
  Moments m;
  m.a = 2;
  m.s = 100;
  m.v_aa = 0.1;
  m.v_ss = 30;
  m.v_as = 0.5;
  const double q = 2.1;
  const RatioInterval i = fieller(m, q);
  const auto z = [&](double r) {
    return (m.s - r * m.a) / std::sqrt(m.v_ss - 2 * r * m.v_as + r * r * m.v_aa);
  };
  EXPECT_NEAR(z(i.lo), q, 1e-10);
  EXPECT_NEAR(z(i.hi), -q, 1e-10);
}

TEST(Fieller, HasNoUpperLimitWhereTheSignalMayBeZero) {
  Moments m;
  m.a = 0.5;
  m.s = 100;
  m.v_aa = 0.1;
  m.v_ss = 30;
  const double q = 2.1;
  RatioInterval i = fieller(m, q);
  EXPECT_TRUE(std::isinf(i.hi));
  EXPECT_NEAR((m.s - i.lo * m.a) / std::sqrt(m.v_ss + i.lo * i.lo * m.v_aa), q, 1e-10);
  m.a = -0.5;  // still not distinguishable from a small positive signal
  i = fieller(m, q);
  EXPECT_TRUE(std::isinf(i.hi));
  EXPECT_NEAR((m.s - i.lo * m.a) / std::sqrt(m.v_ss + i.lo * i.lo * m.v_aa), q, 1e-10);
  m.v_ss = 1e6;
  EXPECT_EQ(fieller(m, q).lo, 0);
  m = {};
  m.a = -5;
  m.s = 100;
  m.v_aa = 0.1;
  m.v_ss = 30;
  EXPECT_TRUE(std::isnan(fieller(m, q).lo));
}

TEST(Estimate, SaysWhatIsNotKnown) {
  Estimator e({});
  Observation o = point(-1, 10);
  e.add(o);
  records::Estimate r = estimate_record(o, e.signal(), e.options(), 64);
  EXPECT_EQ(r.status, "warming");
  EXPECT_TRUE(std::isnan(*r.b_simple_samples));
  EXPECT_EQ(r.note, "signal not distinguishable from zero");
  EXPECT_FALSE(r.efficiency.has_value());
  e.add(o);
  r = estimate_record(o, e.signal(), e.options(), 64);
  EXPECT_EQ(r.status, "ok");
  o.a = std::nan("");
  o.note = "nonfinite";
  r = estimate_record(o, e.signal(), e.options(), {});
  EXPECT_EQ(r.status, "skipped");
  EXPECT_EQ(r.note, "nonfinite");
}

TEST(Estimate, FollowsFromTheNoiseScale) {
  Estimator e(equal_weights(10));
  for (const double a : {1.9, 2.1}) e.add(point(a, 100));
  const records::Estimate r = estimate_record(point(2, 100), e.signal(), e.options(), 64);
  EXPECT_DOUBLE_EQ(*r.b_simple_samples, 50);
  EXPECT_DOUBLE_EQ(*r.rho, 1 / (1 + 100.0 / 128));
  EXPECT_DOUBLE_EQ(*r.theta, std::sqrt(50 / 128.0));
  EXPECT_DOUBLE_EQ(*r.efficiency, (50 + 64.0) / (50 + 128));
  EXPECT_DOUBLE_EQ(*r.diversity, 51);
  EXPECT_NEAR(Target::of_gamma(*r.rho).theta(), *r.theta, 1e-14);  // the batch just meets what it shows
  EXPECT_NEAR(*r.rho_hi, 1 / (1 + 2 * *r.b_simple_lo_samples / 128), 1e-15);
}

TEST(Estimator, NoticesCopies) {
  Estimator e(equal_weights(10));
  for (int i = 0; i < 5; ++i) e.add(point(1, 1e6));
  Observation o = point(1, 1, 128);
  o.cos = 0.9999;
  EXPECT_TRUE(e.near_copies(o, e.signal()));
  o.batch_samples = 1'000'000;
  EXPECT_FALSE(e.near_copies(o, e.signal()));
}

}  // namespace
}  // namespace mlq::simigrad::test
