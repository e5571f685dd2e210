#include "lib/tune/tuner/boltzmann.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/tune/draws.h"

namespace mlq::tune {
namespace {

// Section by section what the published script does with its matrix.
std::vector<double> weights_by_direct_sum(const BoltzmannTable& table) {
  std::vector<double> e;
  for (size_t k = 0; k < table.size(); ++k) e.push_back(2e7 / table.value(k));
  while (*std::max_element(e.begin(), e.end()) > 500)
    for (double& x : e) x /= 2;
  for (double& x : e) x = fmath::exp(x);
  return e;
}

TEST(Boltzmann, IncrementalWeightsAreThoseOfADirectSum) {
  BoltzmannTable table(1331, 40'000);
  Draws draws(1, Purpose::design, 0);
  for (int round = 0; round < 200; ++round) {
    for (int k = 0; k < 123; ++k) table.set(draws.below(table.size()), 500 * fmath::exp(8 * draws.uniform()));
    table.settle();
    const std::vector<double> direct = weights_by_direct_sum(table);
    double total = 0;
    for (size_t k = 0; k < table.size(); ++k) {
      ASSERT_EQ(table.weight(k), direct[k]) << "round " << round << " entry " << k;
      total += direct[k];
    }
    ASSERT_NEAR(table.total() / total, 1, 1e-12);
  }
}

TEST(Boltzmann, AWeightThatFallsLeavesNothingBehind) {
  BoltzmannTable table(200, 1e9);
  table.set(7, 40'000);
  table.settle();
  EXPECT_NEAR(fmath::log(table.total()), 500, 1e-9);
  table.set(7, 1e9);
  table.settle();
  EXPECT_NEAR(table.total(), 200 * fmath::exp(0.02), 1e-9);
}

TEST(Boltzmann, TheRouletteGoesRowByRow) {
  BoltzmannTable table(130, 2e7);  // each weighs e
  EXPECT_EQ(table.draw(1e-9), 0u);
  EXPECT_EQ(table.draw(0.5 / 130), 0u);
  EXPECT_EQ(table.draw(64.5 / 130), 64u);
  EXPECT_EQ(table.draw(129.5 / 130), 129u);
  EXPECT_EQ(table.draw(1 - 1e-16), 129u);
}

TEST(Boltzmann, AHalvingMakesTheBestExponentAtMost500) {
  BoltzmannTable table(2, 40'000);
  EXPECT_EQ(table.halvings(), 0);
  table.set(0, 39'999);
  table.settle();
  EXPECT_EQ(table.halvings(), 1);
  // e = 500.0125 / 2 and 250: the better one has a chance of 1 / (1 + e^-0.00625).
  EXPECT_NEAR(table.weight(0) / table.total(), 1 / (1 + fmath::exp(-(2e7 / 39'999 - 500) / 2)), 1e-12);
}

TEST(Boltzmann, WhatIsBarredIsNotDrawn) {
  BoltzmannTable table(3, 40'000);
  table.bar(0);
  table.bar(2);
  table.settle();
  for (const double u : {1e-12, 0.3, 0.999999}) EXPECT_EQ(table.draw(u), 1u);
  table.bar(1);
  table.settle();
  EXPECT_EQ(table.draw(0.5), std::nullopt);
}

TEST(Boltzmann, NegativeAndVanishingValuesAreNoTrouble) {
  BoltzmannTable table(3, 40'000);
  table.set(0, -5);
  table.set(1, 0);
  table.settle();
  EXPECT_EQ(table.draw(0.5), 1u);  // 0 counts as a microsecond
  EXPECT_TRUE(std::isfinite(table.total()));
}

}  // namespace
}  // namespace mlq::tune
