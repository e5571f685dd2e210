#include "lib/stats/quantile.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "lib/stats/special.h"

namespace mlq::stats {
namespace {

TEST(NearestRank, IsTheCeilingOfQnInIntegers) {
  EXPECT_EQ(nearest_rank({99, 100}, 100), 99u);
  EXPECT_EQ(nearest_rank({99, 100}, 101), 100u);
  EXPECT_EQ(nearest_rank({1, 2}, 1), 1u);
  EXPECT_EQ(nearest_rank({0, 1}, 7), 1u);
  EXPECT_EQ(nearest_rank({1, 1}, 7), 7u);
  // 0.9 * 10 is 9.000000000000000x in doubles of some shapes; never here.
  EXPECT_EQ(nearest_rank({9, 10}, 10), 9u);
  EXPECT_EQ(nearest_rank({999, 1000}, 9223372036854775000u), 9214148664817920225u);
}

TEST(Quantile, OfOneValueIsThatValue) {
  const std::vector<int> one{42};
  EXPECT_EQ(quantile<int>(one, {1, 100}), 42);
  EXPECT_EQ(quantile<int>({}, {1, 100}), std::nullopt);
}

// Direct from the definition, by walking over all ranks.
RankInterval by_definition(uint64_t n, const Ratio& q) {
  RankInterval r;
  for (uint64_t k = 1; k <= n; ++k) {
    const double cdf = binomial_cdf(k - 1, n, q.value());
    if (cdf <= 0.025) r.lo = k;
    if (!r.hi && cdf >= 0.975) r.hi = k;
  }
  return r;
}

TEST(RankInterval, FollowsItsDefinition) {
  for (const Ratio& q : {Ratio{1, 2}, Ratio{9, 10}, Ratio{99, 100}, Ratio{1, 20}}) {
    for (uint64_t n : {1u, 2u, 5u, 6u, 20u, 59u, 100u, 368u, 400u, 1000u}) {
      const RankInterval expected = by_definition(n, q);
      const RankInterval got = quantile_rank_interval(n, q, 0.95);
      EXPECT_EQ(got.lo, expected.lo) << n << " " << q.value();
      EXPECT_EQ(got.hi, expected.hi) << n << " " << q.value();
    }
  }
}

TEST(RankInterval, OfTheMedianAsInTables) {
  const RankInterval r = quantile_rank_interval(100, {1, 2});
  EXPECT_EQ(r.lo, 40u);  // David and Nagaraja: ranks 40 and 61
  EXPECT_EQ(r.hi, 61u);
  EXPECT_FALSE(quantile_rank_interval(5, {1, 2}).lo);
  EXPECT_FALSE(quantile_rank_interval(300, {99, 100}).hi);
  EXPECT_TRUE(quantile_rank_interval(368, {99, 100}).hi);  // 0.99^368 < 0.025
  EXPECT_FALSE(quantile_rank_interval(0, {1, 2}).lo);
}

TEST(RankInterval, OfAMillionIsQuick) {
  const RankInterval r = quantile_rank_interval(1000000000, {999, 1000});
  EXPECT_NEAR(static_cast<double>(*r.lo), 999e6 - 1.96 * 999.5, 20);
  EXPECT_NEAR(static_cast<double>(*r.hi), 999e6 + 1.96 * 999.5, 20);
}

TEST(Wilson, AgreesWithPublishedValues) {
  // Newcombe (1998), table I: 81/263 gives 0.2553 to 0.3662, 0/20 gives 0 to 0.1611, 1/29 gives 0.0061 to
  // 0.1718.
  EXPECT_NEAR(wilson_interval(81, 263).lo, 0.2553, 5e-5);
  EXPECT_NEAR(wilson_interval(81, 263).hi, 0.3662, 5e-5);
  EXPECT_EQ(wilson_interval(0, 20).lo, 0);
  EXPECT_NEAR(wilson_interval(0, 20).hi, 0.1611, 5e-5);
  EXPECT_NEAR(wilson_interval(1, 29).lo, 0.0061, 5e-5);
  EXPECT_NEAR(wilson_interval(1, 29).hi, 0.1718, 5e-5);
  EXPECT_EQ(wilson_interval(20, 20).hi, 1);
}

}  // namespace
}  // namespace mlq::stats
