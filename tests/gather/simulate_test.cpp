// The laws of the ways to cancel, on normal weights.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "lib/gather/simulate.h"
#include "lib/quant/bench.h"

namespace mlq::gather::test {
namespace {

std::vector<float> normal_weights(uint64_t elems, uint64_t seed = 3) {
  const auto bytes = quant::normal_values(Float::f32, elems, seed);
  std::vector<float> values(elems);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

struct Setup {
  Rule rule;
  unsigned bits;
  uint64_t block = 64;
  Float state = Float::f32;
  kernels::Grid grid = kernels::Grid::absmax;
  unsigned strata = 1;
  ResidualType residual_type = ResidualType::f32;
};

Simulated run(const Setup& setup, uint64_t elems, uint64_t steps, double update, double rho = 0) {
  SimulateOptions options;
  options.rules = {setup.rule};
  options.bits = {setup.bits};
  options.blocks = {setup.block};
  options.grid = setup.grid;
  options.state = setup.state;
  options.strata = setup.strata;
  options.residual_type = setup.residual_type;
  const auto walk = random_walk(normal_weights(elems), steps, {.update = update, .rho = rho}, 5);
  return simulate(*walk, options).front();
}

// The slope of log(error) over log(number of gathers).
double slope(const std::map<uint64_t, double>& errors) {
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (const auto& [steps, error] : errors) {
    const double x = std::log(static_cast<double>(steps)), y = std::log(error);
    n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
  }
  return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

constexpr uint64_t kElems = uint64_t{1} << 17;

TEST(MeanOfGathers, FallsWithTheNumberOfStrata) {
  std::map<uint64_t, double> errors;
  const std::map<uint64_t, double> table = {{1, .1085}, {2, .0542}, {4, .0271}, {8, .0136}, {16, .0068}};
  for (const auto& [n, expected] : table) {
    errors[n] =
        run({Rule::dither, 4, 64, Float::f32, kernels::Grid::absmax, static_cast<unsigned>(n)}, kElems, n, 0)
            .mean_rel_rmse;
    EXPECT_NEAR(errors[n] / expected, 1, .02) << n;
  }
  EXPECT_NEAR(slope(errors), -1, .03);
}

TEST(MeanOfGathers, FallsWithTheRootOfIndependentOnes) {
  const std::map<uint64_t, double> table = {{1, .1084}, {2, .0767}, {4, .0542}, {8, .0383}, {16, .0271}};
  std::map<uint64_t, double> errors;
  for (const auto& [n, expected] : table) {
    errors[n] = run({Rule::dither, 4}, kElems, n, 0).mean_rel_rmse;
    EXPECT_NEAR(errors[n] / expected, 1, .02) << n;
  }
  EXPECT_NEAR(slope(errors), -.5, .03);
}

TEST(MeanOfGathers, OfErrorFeedbackFallsWithTheirNumber) {
  std::map<uint64_t, double> errors;
  for (const uint64_t n : {4, 8, 16, 32, 64})
    errors[n] = run({Rule::residual, 4}, kElems, n, 0).mean_rel_rmse;
  EXPECT_NEAR(slope(errors), -1, .03);
}

// What is rounded away of a residual in 8 bits, .6 % of it a step, is lost; of n steps' mean the residual
// left at the end is 1/n, those roundings are .006/sqrt(n): a few hundredths of that for these n.
TEST(MeanOfGathers, OfErrorFeedbackInEightBitsIsNearlyAsPrecise) {
  for (const uint64_t n : {4, 16, 64}) {
    const double exact = run({Rule::residual, 4}, kElems, n, 0).mean_rel_rmse;
    const double rounded =
        run({.rule = Rule::residual, .bits = 4, .residual_type = ResidualType::int8}, kElems, n, 0)
            .mean_rel_rmse;
    EXPECT_NE(rounded, exact);
    EXPECT_NEAR(rounded / exact, 1, .02) << n;
  }
}

TEST(MeanOfGathers, StaysWhereNothingIsCancelled) {
  const double one = run({Rule::none, 4}, kElems, 1, 0).mean_rel_rmse;
  EXPECT_NEAR(run({Rule::none, 4}, kElems, 16, 0).mean_rel_rmse, one, 1e-12);
  EXPECT_NEAR(one / .10757, 1, .01);
}

// The error of the mean of T gathers of N weights is that of N T independent errors, if they are unbiased: an
// estimate with a relative spread of 1 / sqrt(2 N).
TEST(MeanOfGathers, IsUnbiasedWhereItShouldBe) {
  constexpr double kGathers = 64;
  for (const Rule rule : {Rule::stochastic, Rule::dither}) {
    const Simulated s = run({rule, 4}, kElems, 64, 0);
    const double expected = s.inst_rel_rmse / std::sqrt(kGathers);
    EXPECT_NEAR(s.mean_rel_rmse / expected, 1, 4 / std::sqrt(2.0 * kElems) + .005) << name_of(rule);
  }
}

// 64 steps of correlated updates (rho 0.9): error of one gather and of their mean.
struct Row {
  unsigned bits;
  uint64_t block;
  double update;
  std::map<Rule, std::pair<double, double>> errors;
};

TEST(Simulate, HasTheErrorsOfTheTable) {
  const Row rows[] = {{8,
                       2048,
                       1e-3,
                       {{Rule::none, {8.3e-3, 3.1e-3}},
                        {Rule::stochastic, {1.2e-2, 1.5e-3}},
                        {Rule::dither, {8.3e-3, 1.0e-3}},
                        {Rule::residual, {1.2e-2, 1.3e-4}},
                        {Rule::delta, {8.3e-6, 0}}}},
                      {4,
                       64,
                       1e-3,
                       {{Rule::none, {.108, .098}},
                        {Rule::stochastic, {.152, .019}},
                        {Rule::dither, {.108, .014}},
                        {Rule::residual, {.152, 1.7e-3}},
                        {Rule::delta, {1.1e-4, 0}}}},
                      {4,
                       64,
                       1e-4,
                       {{Rule::none, {.107, .106}},
                        {Rule::stochastic, {.152, .019}},
                        {Rule::dither, {.108, .014}},
                        {Rule::residual, {.152, 1.7e-3}},
                        {Rule::delta, {1.1e-5, 0}}}},
                      {2,
                       64,
                       1e-3,
                       {{Rule::none, {.718, .708}},
                        {Rule::stochastic, {1.04, .130}},
                        {Rule::dither, {.759, .095}},
                        {Rule::residual, {1.31, .015}},
                        {Rule::delta, {9.8e-4, 0}}}}};
  for (const Row& row : rows)
    for (const auto& [rule, expected] : row.errors) {
      const Simulated s = run({rule, row.bits, row.block}, uint64_t{1} << 15, 64, row.update, .9);
      EXPECT_NEAR(s.inst_rel_rmse / expected.first, 1, .05)
          << name_of(rule) << ' ' << row.bits << ' ' << row.update;
      // How much of its bias `none` loses depends on how far the updates happen to go.
      const double bound = rule == Rule::none ? .08 : .05;
      if (expected.second > 0)
        EXPECT_NEAR(s.mean_rel_rmse / expected.second, 1, bound)
            << name_of(rule) << ' ' << row.bits << ' ' << row.update;
    }
}

TEST(Simulate, PredictsWhatItMeasuresFromFourBitsUp) {
  for (const Rule rule : {Rule::none, Rule::stochastic, Rule::dither, Rule::delta})
    for (const unsigned bits : {8u, 4u})
      for (const Float state : {Float::f32, Float::bf16}) {
        const Simulated s = run({rule, bits, 64, state}, uint64_t{1} << 15, 64, 1e-3);
        EXPECT_NEAR(s.inst_rel_rmse / s.predicted_rel_rmse, 1, .04)
            << name_of(rule) << ' ' << bits << " bits, " << quant::name_of(state);
      }
}

TEST(Simulate, SafeIsWhatErrsLittleAndDoesNotGrow) {
  EXPECT_TRUE(run({Rule::delta, 4, 64, Float::bf16}, uint64_t{1} << 14, 40, 1e-3).safe);
  EXPECT_FALSE(run({Rule::none, 4}, uint64_t{1} << 14, 40, 1e-3).safe);
}

// One-sided updates push against one end of the sign grid, which has a code more on the other side.
TEST(Simulate, DeltasOfOneSidedUpdatesKeepUpWithLittleBias) {
  for (const kernels::Grid grid : {kernels::Grid::absmax, kernels::Grid::sign})
    for (const unsigned bits : {4u, 2u}) {
      SimulateOptions options;
      options.rules = {Rule::delta};
      options.bits = {bits};
      options.grid = grid;
      options.state = Float::f32;
      const auto walk = random_walk(normal_weights(kElems / 4), 60, {.update = 1e-3, .drift = 1e-3}, 5);
      const Simulated s = simulate(*walk, options).front();
      EXPECT_FALSE(s.grows);
      EXPECT_LT(std::fabs(s.rel_bias), .05 * s.inst_rel_rmse) << quant::name_of(grid) << ' ' << bits;
    }
}

TEST(Simulate, TakesGivenWeights) {
  std::vector<std::vector<float>> given;
  const auto walk = random_walk(normal_weights(5000), 5, {.update = 2e-3}, 9);
  for (int i = 0; i < 5; ++i) {
    const auto w = walk->next();
    given.emplace_back(w.begin(), w.end());
  }
  SimulateOptions options;
  options.rules = {Rule::delta};
  options.bits = {4};
  const auto sequence = given_walk(std::move(given));
  const Simulated s = simulate(*sequence, options).front();
  EXPECT_EQ(s.steps, 5u);
  EXPECT_NEAR(s.update_ratio / 2e-3, 1, .02);
}

}  // namespace
}  // namespace mlq::gather::test
