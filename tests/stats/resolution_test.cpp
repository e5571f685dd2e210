#include "lib/stats/resolution.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "lib/base/error.h"
#include "lib/stats/gof.h"

namespace mlq::stats {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1'000'000'000;

Resolution resolution_of(const std::vector<int64_t>& times) {
  ResolutionDetector detector;
  for (const int64_t t : times) detector.add(t);
  return detector.result();
}

TEST(Resolution, OfNothingAndOfOneStamp) {
  EXPECT_EQ(resolution_of({}).multiplicity, 0);
  const Resolution r = resolution_of({5, 5, 5});
  EXPECT_EQ(r.tick_ns, 0);
  EXPECT_EQ(r.resolution_ns, 0);
  EXPECT_EQ(r.distinct_times, 1u);
  EXPECT_EQ(r.multiplicity, 3);
}

TEST(Resolution, TickIsTheGcdOfDifferencesNotOfTimes) {
  EXPECT_EQ(resolution_of({7, 7 + 6 * kMs, 7 + 15 * kMs}).tick_ns, 3 * kMs);
}

// Ten arrivals about every 3 s, stamped to the millisecond with a jitter of some: tick 1 ms, resolution 3 s.
TEST(Resolution, FindsBatches) {
  std::vector<int64_t> times;
  for (int64_t k = 0; k < 500; ++k) times.insert(times.end(), 10, k * 3 * kSecond + k * k % 7 * kMs);
  const Resolution r = resolution_of(times);
  EXPECT_EQ(r.tick_ns, kMs);
  EXPECT_TRUE(r.batches);
  EXPECT_NEAR(static_cast<double>(r.resolution_ns), 3e9, 5e6);
  EXPECT_EQ(r.distinct_times, 500u);
  EXPECT_EQ(r.multiplicity, 10);
}

TEST(Resolution, OfASecondLogIsTheSecond) {
  std::vector<int64_t> times;
  const RandomStream random(1, Purpose::gaps);
  for (int64_t s = 0; s < 2000; ++s) {
    for (int64_t n = static_cast<int64_t>(random.uniform(static_cast<uint64_t>(s)) * 8); n > 0; --n)
      times.push_back(s * kSecond);
  }
  EXPECT_EQ(resolution_of(times).resolution_ns, kSecond);
}

TEST(Resolution, ScatteredTiesAreNotBatches) {
  std::vector<int64_t> times;
  const RandomStream random(2, Purpose::gaps);
  int64_t t = 0;
  for (uint64_t k = 0; k < 2000; ++k) {
    t += 1 + static_cast<int64_t>(random.uniform(k) * 1e9);
    times.insert(times.end(), 3, t);
  }
  const Resolution r = resolution_of(times);
  EXPECT_FALSE(r.batches);
  EXPECT_EQ(r.resolution_ns, r.tick_ns);
}

TEST(Resolution, OfALongTraceComesFromASample) {
  ResolutionDetector detector;
  for (int64_t k = 0; k < 300000; ++k) {
    for (int j = 0; j < 2; ++j) detector.add(k * kSecond);
  }
  const Resolution r = detector.result();
  EXPECT_TRUE(r.batches);
  EXPECT_EQ(r.resolution_ns, kSecond);
  EXPECT_EQ(r.arrivals, 600000u);
}

TEST(Resolution, RefusesInversions) {
  ResolutionDetector detector;
  detector.add(5);
  EXPECT_THROW(detector.add(4), Error);
}

TEST(Reservoir, KeepsAllThatFitsInOrder) {
  Reservoir<int> r(5, 1);
  for (int i = 0; i < 5; ++i) r.add(i);
  EXPECT_TRUE(r.complete());
  EXPECT_EQ(r.values(), (std::vector<int>{0, 1, 2, 3, 4}));
  r.add(5);
  EXPECT_FALSE(r.complete());
  EXPECT_EQ(r.seen(), 6u);
  EXPECT_EQ(r.values().size(), 5u);
}

// 100 values into 10 places, 20,000 seeds: chi-square of how often each value is kept (a place count is
// nearly binomial, with the finite-population factor 0.9).
TEST(Reservoir, KeepsEveryValueEquallyOften) {
  constexpr uint64_t kSeeds = 20000;
  std::vector<uint64_t> kept(100);
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Reservoir<size_t> r(10, seed);
    for (size_t i = 0; i < 100; ++i) r.add(i);
    for (const size_t v : r.values()) ++kept[v];
  }
  const TestResult test = chi_square_test(kept, std::vector<double>(100, kSeeds / 10.0));
  EXPECT_LT(test.statistic / 0.9, test.limit * 1.2);
  EXPECT_GT(test.statistic / 0.9, 60);
}

TEST(Reservoir, IsAFunctionOfSeedAndValues) {
  const auto sample = [](uint64_t seed) {
    Reservoir<int> r(20, seed);
    for (int i = 0; i < 1000; ++i) r.add(i);
    return r.values();
  };
  EXPECT_EQ(sample(1), sample(1));
  EXPECT_NE(sample(1), sample(2));
}

}  // namespace
}  // namespace mlq::stats
