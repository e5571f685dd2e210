// The laws that estimates rest on, on gradients whose noise is known. Seeds are fixed; bounds are stated.
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/simigrad/estimate/estimator.h"
#include "tests/simigrad/grams.h"

namespace mlq::simigrad::test {
namespace {

struct Mean {
  double sum = 0, square = 0, n = 0;
  void add(double x) {
    sum += x;
    square += x * x;
    ++n;
  }
  double mean() const { return sum / n; }
  double variance() const { return (square - sum * sum / n) / (n - 1); }
  double z(double truth) const { return (mean() - truth) / std::sqrt(variance() / n); }
};

GramLaw law_of(uint64_t groups, uint64_t samples, double b_simple, uint64_t d_eff) {
  GramLaw law;
  law.groups = groups;
  law.samples = samples;
  law.b_simple = b_simple;
  law.d_eff = d_eff;
  law.steps = 4000;
  return law;
}

// (a): the pair is unbiased, with the variances that Gaussian gradients have. |z| < 4; variances within 15 %,
// which is more than 4 standard errors at 4000 draws and kurtosis up to 10.
TEST(Law, ThePairIsUnbiasedWithTheStatedVariances) {
  for (const auto& [k, n, b, d] : {std::tuple<uint64_t, uint64_t, double, uint64_t>{2, 16, 87, 11},
                                   {2, 256, 387, 10},
                                   {8, 16, 1000, 200},
                                   {3, 64, 45, 2},
                                   {2, 64, 45, 1}}) {
    const GramLaw law = law_of(k, n, b, d);
    Mean a, s;
    for (uint64_t t = 0; t < law.steps; ++t) {
      const Observation o = observed(draw_gram(law, t, 1));
      a.add(o.a);
      s.add(o.s);
    }
    EXPECT_LT(std::fabs(a.z(1)), 4) << k << ' ' << n;
    EXPECT_LT(std::fabs(s.z(b)), 4) << k << ' ' << n;
    const double kk = static_cast<double>(k), batch = kk * static_cast<double>(n),
                 dd = static_cast<double>(d);
    const double var_a = 4 * (b / dd) / batch + 2 * kk / (kk - 1) * (b * b / dd) / (batch * batch);
    EXPECT_NEAR(a.variance() / var_a, 1, 0.15) << k << ' ' << n;
    EXPECT_NEAR(s.variance() / (2 * b * b / ((kk - 1) * dd)), 1, 0.15) << k << ' ' << n;
  }
}

// A gradient that is the same in all coordinates has only d/P of its square where the noise is.
TEST(Law, TheSignalsShareInTheNoiseChangesTheVarianceOfA) {
  GramLaw law = law_of(2, 64, 500, 50);
  law.alignment = std::sqrt(50.0 / 5000);
  Mean a;
  for (uint64_t t = 0; t < law.steps; ++t) a.add(observed(draw_gram(law, t, 2)).a);
  const double batch = 128;
  EXPECT_LT(std::fabs(a.z(1)), 4);
  EXPECT_NEAR(a.variance() / (4 * 0.01 * (500 / 50.0) / batch + 4 * (500 * 500 / 50.0) / (batch * batch)), 1,
              0.15);
}

// rho = E[a] / E[|g|^2], by 4000 draws.
double rho_at(uint64_t n, double b_simple, uint64_t d_eff) {
  const GramLaw law = law_of(2, n, b_simple, d_eff);
  double a = 0, square = 0;
  for (uint64_t t = 0; t < law.steps; ++t) {
    const records::Gram g = draw_gram(law, t, n);
    a += (*g.gram)[1];
    square += ((*g.gram)[0] + (*g.gram)[2]) / 2;
  }
  return a / square;
}

// (b): ln(1/rho - 1) = ln B_simple - ln n.
TEST(Law, SimilarityFollowsTheNoiseScale) {
  const double b = 387;
  Mean x, y;
  double xy = 0;
  for (const uint64_t n : {64, 128, 256, 512, 1024, 2048}) {
    const double lx = fmath::log(static_cast<double>(n));
    const double ly = fmath::log(1 / rho_at(n, b, 100) - 1);
    x.add(lx);
    y.add(ly);
    xy += lx * ly;
  }
  const double slope = (xy - x.sum * y.mean()) / (x.variance() * (x.n - 1));
  EXPECT_NEAR(slope, -1, 0.02);
  EXPECT_NEAR(y.mean() - slope * x.mean(), fmath::log(b), 0.12);
}

// (c): rho(2n) = 2 rho(n) / (1 + rho(n)), Spearman-Brown.
TEST(Law, TwiceTheSamplesAreWhatSpearmanAndBrownSay) {
  for (const uint64_t n : {64, 256}) {
    const double one = rho_at(n, 387, 100);
    EXPECT_NEAR(rho_at(2 * n, 387, 100), 2 * one / (1 + one), 0.02) << n;
  }
}

// (d): the noise scale from SimiGrad's scalars, two squared norms and a cosine, is that of the pair.
TEST(Law, TheNoiseScaleIsInTheScalarsOfSimiGrad) {
  const GramLaw law = law_of(2, 64, 387, 100);
  for (uint64_t t = 0; t < 100; ++t) {
    const records::Gram g = draw_gram(law, t, 5);
    const Observation o = observed(g);
    const double n1 = std::sqrt((*g.gram)[0]), n2 = std::sqrt((*g.gram)[2]);
    const double a = o.cos * n1 * n2;
    EXPECT_NEAR(o.a, a, 1e-12 * n1 * n2);
    EXPECT_NEAR(o.s, 64 * (n1 * n1 + n2 * n2 - 2 * a) / 2, 1e-12 * o.s);
  }
}

// (e): the interval covers the truth in 93 to 97 of 100 runs, also where the window saw the batch jump and
// where n is far below B_simple. 1000 runs a cell: 0.95 +- 0.0069 (one standard error).
struct Cell {
  uint64_t groups, d_eff;
  uint64_t first, second;  // samples of a group before and after a jump
  bool ema;
};

double coverage(const Cell& cell) {
  const int kRuns = 1000;
  const uint64_t kSteps = cell.ema ? 60 : 20;
  EstimatorOptions options;
  if (!cell.ema) {
    options.smoothing.kind = Smoothing::Kind::window;
    options.smoothing.steps = kSteps;
  }
  int covered = 0;
  for (int run = 0; run < kRuns; ++run) {
    Estimator e(options);
    for (uint64_t t = 0; t < kSteps; ++t) {
      GramLaw law = law_of(cell.groups, 2 * t < kSteps ? cell.first : cell.second, 1000, cell.d_eff);
      law.steps = kSteps;
      e.add(observed(draw_gram(law, t, static_cast<uint64_t>(run) + 1000)));
    }
    const RatioInterval i = e.signal().interval;
    covered += i.lo <= 1000 && 1000 <= i.hi;
  }
  return covered / static_cast<double>(kRuns);
}

TEST(Law, TheIntervalCoversTheTruth) {
  for (const Cell& cell :
       {Cell{2, 200, 64, 64, false}, Cell{8, 200, 64, 64, false}, Cell{2, 20, 512, 512, true},
        Cell{2, 200, 64, 256, false}, Cell{8, 20, 256, 64, false}, Cell{2, 200, 8, 8, false}}) {
    const double share = coverage(cell);
    EXPECT_GE(share, 0.93) << cell.groups << ' ' << cell.d_eff << ' ' << cell.first << ' ' << cell.second;
    EXPECT_LE(share, 0.97) << cell.groups << ' ' << cell.d_eff << ' ' << cell.first << ' ' << cell.second;
  }
}

TEST(Law, DrawsArePinned) {
  GramLaw law = law_of(2, 64, 1000, 200);
  const records::Gram g = draw_gram(law, 3, 1);
  EXPECT_EQ(g.gram->size(), 3u);
  EXPECT_EQ(g.consumed_samples, 384u);
  law.growth = 25;
  law.steps = 4;
  Mean s;
  for (uint64_t seed = 0; seed < 400; ++seed) s.add(observed(draw_gram(law, 3, seed)).s);
  EXPECT_LT(std::fabs(s.z(25'000)), 4);
}

}  // namespace
}  // namespace mlq::simigrad::test
