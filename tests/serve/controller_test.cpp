#include "lib/serve/schedule/controller.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/serve/schedule/quantile_line.h"

namespace mlq::serve {
namespace {

struct Bench {
  SchedulerKnobs knobs;
  double budget_ns = 20e6;
  LatencyModel model = {};
  ControllerView view() const { return {model, knobs, budget_ns}; }
  // A full batch of that size that took so long.
  void run(Controller& controller, uint32_t rows, double latency_ns) {
    const bool drift = model.observe(rows, latency_ns);
    controller.observe(view(), {.rows = rows, .latency_ns = latency_ns, .full = true, .drift = drift});
  }
};

TEST(Controller, FixedIsMaxRows) {
  const Bench bench{.knobs = {.max_rows = 37}};
  EXPECT_EQ(make_fixed()->target(bench.view()), 37u);
}

// add 2, mul 0.9, band 0.9 of 20 ms.
TEST(Controller, AimdAddsBelowTheBandStaysInItAndMultipliesAtTheBudget) {
  Bench bench;
  const auto aimd = make_aimd();
  EXPECT_EQ(aimd->target(bench.view()), 1u);
  for (int i = 0; i < 10; ++i) bench.run(*aimd, 1, 10e6);
  EXPECT_EQ(aimd->target(bench.view()), 21u);
  bench.run(*aimd, 21, 18e6);
  EXPECT_EQ(aimd->target(bench.view()), 21u) << "18 ms is in [0.9 B, B)";
  bench.run(*aimd, 21, 20e6);
  EXPECT_EQ(aimd->target(bench.view()), 18u) << "floor(0.9 x 21)";
  aimd->observe(bench.view(), {.rows = 3, .latency_ns = 1e6, .full = false, .drift = false});
  EXPECT_EQ(aimd->target(bench.view()), 18u) << "a batch that was not full teaches nothing about more";
  for (int i = 0; i < 200; ++i) bench.run(*aimd, 1, 30e6);
  EXPECT_EQ(aimd->target(bench.view()), 1u);
}

TEST(QuantileLine, IsExactOnALineWithoutNoise) {
  std::vector<LinePoint> points;
  for (int n = 1; n <= 64; ++n) points.push_back({.rows = double(n), .latency_ns = 100.0 + 3 * n});
  const QuantileLine line = fit_quantile_line(points, 0.99);
  EXPECT_NEAR(line.alpha, 3, 0.02);
  EXPECT_NEAR(line.beta, 100, 1);
}

// Noise uniform in [0, 1]: the 0.9-quantile line lies 0.9 above the base, and a tenth of the points above it.
TEST(QuantileLine, LeavesTheRightShareAbove) {
  const RandomStream random(9, Purpose::service);
  std::vector<LinePoint> points;
  for (uint64_t i = 0; i < 4000; ++i) {
    const double n = 1 + random.bits(i).c0 % 50;
    points.push_back({.rows = n, .latency_ns = 5 + 0.5 * n + random.uniform(i, 1)});
  }
  const QuantileLine line = fit_quantile_line(points, 0.9);
  EXPECT_NEAR(line.alpha, 0.5, 0.01);
  EXPECT_NEAR(line.beta, 5.9, 0.1);
  EXPECT_NEAR(line.share_above, 0.1, 0.01);
}

TEST(QuantileLine, NeitherFallsNorStartsBelowZero) {
  const std::vector<LinePoint> falling{{1, 10}, {2, 8}, {3, 6}}, steep{{1, 1}, {2, 4}, {3, 9}};
  EXPECT_GE(fit_quantile_line(falling, 0.5).alpha, 0);
  EXPECT_GE(fit_quantile_line(steep, 0.5).beta, 0);
}

TEST(Controller, QuantileSolvesItsLineForTheBudget) {
  Bench bench{.knobs = {.max_rows = 4096, .slo_quantile = 0.99}};
  const auto quantile = make_quantile();
  for (int i = 0; i < 60; ++i)
    for (const uint32_t rows : {1u, 10u, 100u, 400u}) bench.run(*quantile, rows, 3e6 + 36e3 * rows);
  EXPECT_NEAR(quantile->target(bench.view()), (20e6 - 3e6) / 36e3, 6);
}

// The learned maximum of the prototype of Clipper was once -8.
TEST(Controller, NoProposalIsBelowOneOrTwiceAboveWhatWasMeasured) {
  const RandomStream random(11, Purpose::service);
  for (const ControllerKind kind : {ControllerKind::quantile, ControllerKind::knee, ControllerKind::aimd}) {
    Bench bench;
    const auto controller = make_controller(kind);
    for (uint64_t i = 0; i < 600; ++i) {
      const uint32_t rows = std::min(20u, controller->target(bench.view()));
      bench.run(*controller, rows, 1e6 + 40e6 * random.uniform(i) / rows);
      ASSERT_GE(controller->target(bench.view()), 1u);
      if (kind != ControllerKind::aimd) {
        ASSERT_LE(controller->target(bench.view()), 40u);
      }
    }
  }
}

TEST(Controller, TheKneeClimbsByDoublingAndSettlesAtItsShareOfTheBest) {
  Bench bench{.knobs = {.max_rows = 256}, .budget_ns = std::numeric_limits<double>::infinity()};
  const auto knee = make_knee();
  const auto curve = [](double rows) { return 1e6 + 50e3 * rows; };
  int batches = 0;
  for (; batches < 200; ++batches) {
    const uint32_t trial = knee->trial(bench.view());
    const uint32_t rows = trial != 0 ? trial : knee->target(bench.view());
    bench.run(*knee, rows, curve(rows));
  }
  // T(n) = n / (1 + 0.05 n) has 0.95 of T(256) at n = 143; the grid has 160 next.
  EXPECT_GE(knee->target(bench.view()), 128u);
  EXPECT_LE(knee->target(bench.view()), 160u);
}

TEST(Controller, TheKneeStaysInTheBudget) {
  Bench bench{.knobs = {.max_rows = 256}, .budget_ns = 5e6};
  const auto knee = make_knee();
  for (int i = 0; i < 200; ++i) {
    const uint32_t trial = knee->trial(bench.view());
    const uint32_t rows = trial != 0 ? trial : knee->target(bench.view());
    bench.run(*knee, rows, 1e6 + 50e3 * rows);
  }
  EXPECT_LE(knee->target(bench.view()), 80u) << "1 + 0.05 n <= 5 ms";
  EXPECT_GE(knee->target(bench.view()), 40u);
}

TEST(Controller, WhenEvenOneRowMissesTheKneeServesOneAndSaysSo) {
  Bench bench{.knobs = {}, .budget_ns = 5e6};
  const auto knee = make_knee();
  for (int i = 0; i < 50; ++i) bench.run(*knee, 1, 9e6);
  EXPECT_TRUE(infeasible(bench.view()));
  EXPECT_EQ(knee->target(bench.view()), 1u);
  EXPECT_EQ(knee->trial(bench.view()), 0u);
}

}  // namespace
}  // namespace mlq::serve
