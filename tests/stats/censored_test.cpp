#include "lib/stats/censored.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "lib/base/random.h"
#include "lib/stats/quantile.h"

namespace mlq::stats {
namespace {

struct Observation {
  int64_t value;
  bool event;
};

struct Sample {
  Histogram events, censored;
  void add(const Observation& o, uint64_t times = 1) { (o.event ? events : censored).record(o.value, times); }
};

Sample sample_of(const std::vector<Observation>& all) {
  Sample s;
  for (const Observation& o : all) s.add(o);
  return s;
}

// The estimate from its definition, over values below 256, where a bucket is one value; fractions in long
// double, ties met.
std::optional<int64_t> naive_quantile(std::vector<Observation> all, uint64_t beyond, const Ratio& q) {
  std::sort(all.begin(), all.end(), [](const Observation& a, const Observation& b) {
    return a.value != b.value ? a.value < b.value : a.event > b.event;
  });
  long double survival = 1;
  uint64_t risk = all.size() + beyond;
  const long double target = 1 - static_cast<long double>(q.num) / static_cast<long double>(q.den);
  for (const Observation& o : all) {
    if (o.event) survival *= static_cast<long double>(risk - 1) / static_cast<long double>(risk);
    --risk;
    if (o.event && survival <= target + 1e-15L) return o.value;
  }
  return std::nullopt;
}

constexpr Ratio kQuantiles[] = {{1, 100}, {1, 4}, {1, 2}, {2, 3}, {3, 4}, {9, 10}, {99, 100}, {1, 1}};

TEST(Censored, WithoutCensoringIsTheHistogramsQuantileBitForBit) {
  const RandomStream stream(1, Purpose::service);
  Histogram events;
  for (size_t i = 0; i < 5000; ++i) events.record(static_cast<int64_t>(stream.bits(i).c0));
  const Histogram none;
  const CensoredSample sample(events, none, 0);
  for (const Ratio& q : kQuantiles) EXPECT_EQ(sample.quantile(q), events.quantile(q));
  EXPECT_EQ(sample.bound(), events.max());
}

// Times of remission in weeks of 21 leukaemia patients under 6-MP (Freireich et al. 1963; the example of
// Kaplan- Meier in most textbooks): 6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+.
// S(6) = 0.857, S(7) = 0.807, S(10) = 0.753, S(13) = 0.690, S(16) = 0.627, S(22) = 0.538, S(23) = 0.448.
TEST(Censored, LeukaemiaRemissionsHaveTheirPublishedMedianOf23Weeks) {
  const Sample s =
      sample_of({{6, true},   {6, true},   {6, true},   {6, false},  {7, true},   {9, false},  {10, true},
                 {10, false}, {11, false}, {13, true},  {16, true},  {17, false}, {19, false}, {20, false},
                 {22, true},  {23, true},  {25, false}, {32, false}, {32, false}, {34, false}, {35, false}});
  const CensoredSample sample(s.events, s.censored, 0);
  EXPECT_EQ(sample.quantile({1, 2}), 23);
  EXPECT_EQ(sample.quantile({1, 10}), 6);
  EXPECT_EQ(sample.quantile({1, 4}), 13);               // S(10) = 0.753 > 0.75 >= S(13)
  EXPECT_EQ(sample.quantile({19, 100}), 7);             // 0.807 <= 0.81
  EXPECT_EQ(sample.quantile({45, 100}), 22);            // 0.538 <= 0.55
  EXPECT_EQ(sample.quantile({56, 100}), std::nullopt);  // S ends at 0.448
  EXPECT_EQ(sample.bound(), 35);
}

// 1, 2+, 3, 4: S = 3/4, 3/4, 3/8, 0.
TEST(Censored, HandComputedSteps) {
  const Sample s = sample_of({{1, true}, {2, false}, {3, true}, {4, true}});
  const CensoredSample sample(s.events, s.censored, 0);
  EXPECT_EQ(sample.quantile({1, 4}), 1);
  EXPECT_EQ(sample.quantile({26, 100}), 3);
  EXPECT_EQ(sample.quantile({5, 8}), 3);  // a tie with S(3) = 3/8
  EXPECT_EQ(sample.quantile({63, 100}), 4);
  EXPECT_EQ(sample.quantile({1, 1}), 4);
}

TEST(Censored, EventsComeFirstWithinABucket) {
  const Sample s = sample_of({{5, true}, {5, false}});
  EXPECT_EQ(CensoredSample(s.events, s.censored, 0).quantile({1, 2}), 5);
  EXPECT_EQ(CensoredSample(s.events, s.censored, 0).quantile({51, 100}), std::nullopt);
}

TEST(Censored, ValuesBeyondEverythingAreNearestRanksOfAll) {
  Sample s;
  for (int64_t v = 1; v <= 90; ++v) s.add({v, true});
  const CensoredSample sample(s.events, s.censored, 10);
  EXPECT_EQ(sample.quantile({1, 2}), 50);
  EXPECT_EQ(sample.quantile({9, 10}), 90);
  EXPECT_EQ(sample.quantile({91, 100}), std::nullopt);
  EXPECT_EQ(sample.bound(), 90);
}

TEST(Censored, OfNothingButBounds) {
  Sample s;
  s.add({7, false}, 3);
  const CensoredSample sample(s.events, s.censored, 2);
  EXPECT_EQ(sample.quantile({1, 2}), std::nullopt);
  EXPECT_EQ(sample.bound(), 7);
  const Histogram none;
  EXPECT_EQ(CensoredSample(none, none, 4).bound(), std::nullopt);
  EXPECT_EQ(CensoredSample(none, none, 0).quantile({1, 2}), std::nullopt);
}

std::vector<Observation> random_observations(uint64_t seed, size_t n) {
  const RandomStream stream(seed, Purpose::service);
  std::vector<Observation> all(n);
  for (size_t i = 0; i < n; ++i) {
    const PhiloxCounter bits = stream.bits(i);
    all[i] = {static_cast<int64_t>(bits.c0 % 200), bits.c1 % 3 != 0};
  }
  return all;
}

TEST(Censored, AgreesWithTheDefinitionOnRandomSmallSamples) {
  size_t unknown = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    const std::vector<Observation> all = random_observations(seed, 1 + seed % 40);
    const uint64_t beyond = seed % 4;
    const Sample s = sample_of(all);
    for (const Ratio& q : kQuantiles) {
      const auto expected = naive_quantile(all, beyond, q);
      unknown += expected ? 0 : 1;
      ASSERT_EQ(CensoredSample(s.events, s.censored, beyond).quantile(q), expected)
          << "seed " << seed << " q " << q.value();
    }
  }
  EXPECT_GT(unknown, 100u);
}

TEST(Censored, MergedPartsGiveTheSameBitsInAnyOrder) {
  const std::vector<Observation> all = random_observations(99, 3000);
  const Sample whole = sample_of(all);
  for (const size_t parts : {2u, 7u, 16u}) {
    std::vector<Sample> shards(parts);
    for (size_t i = 0; i < all.size(); ++i) shards[i % parts].add(all[i]);
    Sample merged;
    for (size_t k = parts; k-- > 0;) {
      merged.events.merge(shards[k].events);
      merged.censored.merge(shards[k].censored);
    }
    for (const Ratio& q : kQuantiles) {
      EXPECT_EQ(CensoredSample(merged.events, merged.censored, 3).quantile(q),
                CensoredSample(whole.events, whole.censored, 3).quantile(q));
    }
  }
}

TEST(CensoredInterval, OfKnownValuesIsTheOrderStatistics) {
  Sample s;
  for (int64_t v = 1; v <= 100; ++v) s.add({v, true});
  const RankInterval ranks = quantile_rank_interval(100, {1, 2});
  const auto ends = CensoredSample(s.events, s.censored, 0).interval({1, 2});
  EXPECT_EQ(ends.lo, static_cast<int64_t>(*ranks.lo));
  EXPECT_EQ(ends.hi, static_cast<int64_t>(*ranks.hi));
}

// Whatever the unknown values are, from their bounds up to anything, the order statistics lie within.
TEST(CensoredInterval, HoldsTheOrderStatisticsWhateverTheUnknownValuesAre) {
  const std::vector<Observation> all = random_observations(5, 200);
  const Sample s = sample_of(all);
  const auto ends = CensoredSample(s.events, s.censored, 0).interval({1, 2});
  const RankInterval ranks = quantile_rank_interval(200, {1, 2});
  for (const int64_t extra : {0, 20, 1000}) {
    std::vector<int64_t> truth;
    for (const Observation& o : all) truth.push_back(o.value + (o.event ? 0 : extra));
    std::sort(truth.begin(), truth.end());
    EXPECT_LE(*ends.lo, truth[*ranks.lo - 1]);
    if (ends.hi) EXPECT_GE(*ends.hi, truth[*ranks.hi - 1]);
  }
}

TEST(CensoredInterval, HasNoUpperEndAmongTheUnknown) {
  Sample s;
  for (int64_t v = 1; v <= 52; ++v) s.add({v, true});
  const auto ends = CensoredSample(s.events, s.censored, 48).interval({1, 2});
  EXPECT_TRUE(ends.lo);
  EXPECT_FALSE(ends.hi);
}

}  // namespace
}  // namespace mlq::stats
