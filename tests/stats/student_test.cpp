#include "lib/stats/student.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace mlq::stats {
namespace {

TEST(Student, QuantilesOfTheTables) {
  // Abramowitz and Stegun, table 26.10.
  EXPECT_NEAR(student_quantile(0.975, 1), 12.7062047, 1e-6);
  EXPECT_NEAR(student_quantile(0.975, 2), 4.30265273, 1e-7);
  EXPECT_NEAR(student_quantile(0.95, 5), 2.01504837, 1e-7);
  EXPECT_NEAR(student_quantile(0.995, 10), 3.16927267, 1e-7);
  EXPECT_NEAR(student_quantile(0.025, 30), -2.04227246, 1e-7);
}

TEST(Student, OneDegreeOfFreedomIsCauchy) {
  for (const double t : {-3.0, -0.5, 0.25, 2.0})
    EXPECT_NEAR(student_cdf(t, 1), 0.5 + std::atan(t) / M_PI, 1e-12);
}

TEST(Student, AnIntervalByHand) {
  const std::array<double, 3> values = {1, 2, 3};
  const MeanInterval i = mean_interval(values);
  EXPECT_DOUBLE_EQ(i.mean, 2);
  EXPECT_NEAR(i.hi - i.mean, 4.30265273 / std::sqrt(3.0), 1e-7);
  EXPECT_NEAR(i.mean - i.lo, i.hi - i.mean, 1e-12);
}

TEST(Student, OneValueSaysNothingOfItsSpread) {
  const std::array<double, 1> values = {7};
  EXPECT_TRUE(std::isinf(mean_interval(values).hi));
  EXPECT_TRUE(std::isnan(mean_interval({}).mean));
}

}  // namespace
}  // namespace mlq::stats
