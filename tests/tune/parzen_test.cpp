#include "lib/tune/tuner/parzen.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

namespace mlq::tune {
namespace {

TEST(Parzen, ATenthOfTheTrialsIsGoodAndAtMost25) {
  EXPECT_EQ(parzen_good(10), 1u);
  EXPECT_EQ(parzen_good(11), 2u);
  EXPECT_EQ(parzen_good(250), 25u);
  EXPECT_EQ(parzen_good(1000), 25u);
}

TEST(Parzen, TheLatest25AndThePriorWeighAlike) {
  const auto few = parzen_weights(4);
  for (const double w : few) EXPECT_DOUBLE_EQ(w, 0.2);
  const auto many = parzen_weights(30);  // five on a ramp from 1/30 to 1, 25 of weight 1, the prior
  ASSERT_EQ(many.size(), 31u);
  EXPECT_NEAR(std::accumulate(many.begin(), many.end(), 0.0), 1, 1e-12);
  EXPECT_NEAR(many[0] / many[30], 1.0 / 30, 1e-12);
  EXPECT_NEAR(many[2] / many[30], (1.0 / 30 + 1) / 2, 1e-12);
  EXPECT_NEAR(many[4] / many[30], 1, 1e-12);
}

TEST(Parzen, AKernelReachesToItsFartherNeighbour) {
  // Steps 1, 2 and 8 of 0..10, and the prior at 5: 1 is an end with the neighbour 2, 2 has 5 as the farther
  // one, 8 is an end with the neighbour 5. At least 11 / 5.
  const std::array<uint32_t, 3> steps{1, 2, 8};
  const auto widths = parzen_widths(steps, 11, 0);
  EXPECT_DOUBLE_EQ(widths[0], 11.0 / 5);
  EXPECT_DOUBLE_EQ(widths[1], 3);
  EXPECT_DOUBLE_EQ(widths[2], 3);
  EXPECT_DOUBLE_EQ(widths[3], 11);
}

TEST(Parzen, JointKernelsNarrowWithTheirNumber) {
  const std::array<uint32_t, 4> steps{0, 3, 3, 10};
  // 0.2 * 11 * 4^(-1/7) = 1.804..., but at least 11 / 6 = 1.833...
  EXPECT_NEAR(parzen_widths(steps, 11, 3)[0], 11.0 / 6, 1e-12);
  // 0.2 * 101 * 4^(-1/7) = 16.57 against 101 / 6 = 16.83
  const std::array<uint32_t, 9> more{0, 1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_NEAR(parzen_widths(more, 101, 3)[0], 0.2 * 101 * std::pow(9, -1.0 / 7), 1e-9);
}

TEST(Parzen, AnOrderedKernelIsANormalCutOffAtTheEnds) {
  const std::array<uint32_t, 1> steps{0};
  const auto rows = parzen_kernels(steps, 3, true, 0);
  // The kernel at 0 and the prior at 1: width 1 up to its only neighbour, but at least 3 / 3.
  const auto cdf = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2)); };
  const double all = cdf(2.5) - cdf(-0.5);
  EXPECT_NEAR(rows[0], (cdf(0.5) - cdf(-0.5)) / all, 1e-12);
  EXPECT_NEAR(rows[1], (cdf(1.5) - cdf(0.5)) / all, 1e-12);
  EXPECT_NEAR(rows[2], (cdf(2.5) - cdf(1.5)) / all, 1e-12);
  EXPECT_NEAR(rows[3], rows[5], 1e-12);  // the prior is symmetric
}

TEST(Parzen, AnUnorderedKernelIsACount) {
  const std::array<uint32_t, 2> steps{1, 1};
  const auto rows = parzen_kernels(steps, 4, false, 0);
  // 1/3 everywhere and 1 at the value, of 7/3.
  EXPECT_NEAR(rows[0], 1.0 / 7, 1e-12);
  EXPECT_NEAR(rows[1], 4.0 / 7, 1e-12);
  EXPECT_NEAR(rows[8], 0.25, 1e-12);
}

}  // namespace
}  // namespace mlq::tune
