#include "lib/serve/schedule/latency_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::serve {
namespace {

void teach(LatencyModel& model, double alpha, double beta, int rounds, uint32_t largest = 128) {
  for (int i = 0; i < rounds; ++i)
    for (uint32_t rows = 1; rows <= largest; rows *= 2) model.observe(rows, alpha * rows + beta);
}

TEST(LatencyModel, KnowsNothingBeforeTheFirstBatch) {
  const LatencyModel model;
  EXPECT_TRUE(model.empty());
  EXPECT_EQ(model.mean_ns(8), 0);
  EXPECT_EQ(model.rows_per_ns(8), 0);
}

TEST(LatencyModel, FindsAnExactLine) {
  LatencyModel model;
  teach(model, 13e3, 2.8e6, 30);
  EXPECT_NEAR(model.alpha(), 13e3, 1);
  EXPECT_NEAR(model.beta(), 2.8e6, 100);
  for (const uint32_t rows : {1u, 7u, 100u, 300u})
    EXPECT_NEAR(model.mean_ns(rows), 13e3 * rows + 2.8e6, 3e4) << rows;
  EXPECT_NEAR(model.ratio(0.99), 1, 0.01);
}

TEST(LatencyModel, AlphaAndBetaAreNeverNegative) {
  LatencyModel falling, steep;
  for (int i = 0; i < 50; ++i) {
    falling.observe(1, 2e6);
    falling.observe(64, 1e6);
    steep.observe(1, 1e3);
    steep.observe(8, 64e3);
  }
  EXPECT_GE(falling.alpha(), 0);
  EXPECT_GT(falling.beta(), 0);
  EXPECT_GE(steep.beta(), 0);
  EXPECT_GT(steep.alpha(), 0);
}

TEST(LatencyModel, MeanNeverFallsWithTheSize) {
  const RandomStream random(5, Purpose::service);
  LatencyModel model;
  for (uint64_t i = 0; i < 400; ++i)
    model.observe(1 + random.bits(i).c0 % 200, 1e6 * (1 + random.uniform(i, 1)));
  double last = 0;
  for (uint32_t rows = 1; rows <= 512; ++rows) {
    ASSERT_GE(model.mean_ns(rows), last);
    last = model.mean_ns(rows);
  }
}

TEST(LatencyModel, LearnsACurveThatIsNoLine) {
  const auto curve = [](double rows) { return 1e5 * rows + 500 * rows * rows; };
  LatencyModel model;
  for (int i = 0; i < 60; ++i)
    for (uint32_t rows = 1; rows <= 256; rows *= 4) model.observe(rows, curve(rows));
  for (const uint32_t rows : {16u, 64u, 256u})
    EXPECT_NEAR(model.mean_ns(rows) / curve(rows), 1, 0.15) << rows;
}

// Lognormal noise of sigma 0.1 around its mean: the 0.95-quantile is exp(1.645 sigma - sigma^2 / 2) = 1.173.
TEST(LatencyModel, TheRatioIsTheQuantileOfTheNoise) {
  const RandomStream random(6, Purpose::service);
  LatencyModel model;
  for (uint64_t i = 0; i < 2000; ++i) {
    const double z = fmath::normal_quantile(random.uniform(i));
    model.observe(32, 5e6 * fmath::exp(0.1 * z - 0.005));
  }
  EXPECT_NEAR(model.ratio(0.95), 1.173, 0.03);
  EXPECT_EQ(model.drifts(), 0u);
}

TEST(LatencyModel, ATwofoldSlowdownAlarmsAfterSixBatchesAndIsLearntFromTheLastEight) {
  LatencyModel model;
  teach(model, 13e3, 2.8e6, 30);
  int batches = 0;
  while (!model.observe(64, 2 * (13e3 * 64 + 2.8e6)) && batches < 100) ++batches;
  EXPECT_LE(batches + 1, 7);
  EXPECT_EQ(model.drifts(), 1u);
  EXPECT_EQ(model.batches_since_drift(), 0u);
  for (int i = 0; i < 30; ++i) model.observe(64, 2 * (13e3 * 64 + 2.8e6));
  EXPECT_NEAR(model.mean_ns(64) / (2 * (13e3 * 64 + 2.8e6)), 1, 0.1);
}

TEST(LatencyModel, ASpeedUpAlarmsToo) {
  LatencyModel model;
  teach(model, 13e3, 2.8e6, 30);
  int batches = 0;
  while (!model.observe(64, 0.5 * (13e3 * 64 + 2.8e6)) && batches < 100) ++batches;
  EXPECT_LE(batches, 15);
}

TEST(LatencyModel, OneHiccupMovesNeitherTheMeanNorTheQuantileFar) {
  LatencyModel model;
  teach(model, 13e3, 2.8e6, 10);
  const double mean = model.mean_ns(64), bound = model.quantile_ns(64, 0.99);
  model.observe(64, 1e9);
  EXPECT_LT(model.mean_ns(64), 1.5 * mean);
  EXPECT_LT(model.quantile_ns(64, 0.99), 1.5 * bound);
  EXPECT_EQ(model.drifts(), 0u);
}

TEST(LatencyModel, AColdStartIsForgottenAtTheFirstWarmBatch) {
  LatencyModel model;
  model.observe(1, 1e9);
  model.observe(1, 3e6);
  EXPECT_NEAR(model.mean_ns(1), 3e6, 1e5);
  EXPECT_NEAR(model.ratio(0.99), 1, 0.1);
}

TEST(LatencyModel, ComesBackFromItsStateAndYieldsToWhatItSees) {
  LatencyModel model;
  teach(model, 13e3, 2.8e6, 30);
  LatencyModel again;
  again.restore(model.save());
  EXPECT_FALSE(again.empty());
  EXPECT_EQ(again.largest_rows(), 128u);
  for (const uint32_t rows : {1u, 30u, 128u}) EXPECT_NEAR(again.mean_ns(rows) / model.mean_ns(rows), 1, 0.02);
  teach(again, 26e3, 5.6e6, 10);
  EXPECT_NEAR(again.mean_ns(64) / (26e3 * 64 + 5.6e6), 1, 0.2) << "a prior of 8 batches does not last";
}

TEST(LatencyModel, AnEmptyOrDamagedStateRestoresToNothing) {
  LatencyModel model;
  model.restore({});
  EXPECT_TRUE(model.empty());
  model.restore({.alpha_ns_per_row = NAN, .beta_ns = 1, .largest_rows = 5, .means = {{5, 1e6}}});
  EXPECT_TRUE(model.empty());
}

}  // namespace
}  // namespace mlq::serve
