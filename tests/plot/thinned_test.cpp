#include "lib/plot/thinned.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace mlq::plot {
namespace {

double noisy(uint64_t i) { return static_cast<double>((i * 2654435761u) % 100'003); }

TEST(PlotThinned, KeepsFewPointsAsTheyAre) {
  Thinned series;
  std::vector<Point> all;
  for (uint64_t i = 0; i < Thinned::kMost; ++i) all.push_back({static_cast<double>(i), noisy(i), 1, 2});
  for (const Point& p : all) series.add(p);
  const std::vector<Point> kept = series.points();
  ASSERT_EQ(kept.size(), all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(kept[i].x, all[i].x);
    EXPECT_EQ(kept[i].y, all[i].y);
    EXPECT_EQ(kept[i].lo, 1);
    EXPECT_EQ(kept[i].hi, 2);
  }
}

// Against brute force: of every stretch of 2^k consecutive points the lowest and the highest.
TEST(PlotThinned, OfManyPointsKeepsTheExtremesOfEachStretch) {
  constexpr uint64_t kPoints = 100'000, kStretch = 64;
  Thinned series;
  for (uint64_t i = 0; i < kPoints; ++i) series.add({static_cast<double>(i), noisy(i)});
  EXPECT_EQ(series.count(), kPoints);
  std::vector<std::pair<double, double>> expected;
  for (uint64_t begin = 0; begin < kPoints; begin += kStretch) {
    uint64_t low = begin, high = begin;
    for (uint64_t i = begin; i < std::min(begin + kStretch, kPoints); ++i) {
      if (noisy(i) < noisy(low)) low = i;
      if (noisy(i) > noisy(high)) high = i;
    }
    expected.emplace_back(std::min(low, high), noisy(std::min(low, high)));
    if (low != high) expected.emplace_back(std::max(low, high), noisy(std::max(low, high)));
  }
  std::vector<std::pair<double, double>> got;
  for (const Point& p : series.points()) got.emplace_back(p.x, p.y);
  EXPECT_EQ(got, expected);
}

TEST(PlotThinned, IntervalsGetNoNarrower) {
  Thinned series;
  for (int i = 0; i < 10'000; ++i) series.add({double(i), 5, 4.0 - i % 7, 6.0 + i % 5});
  for (const Point& p : series.points()) {
    EXPECT_EQ(p.lo, -2);
    EXPECT_EQ(p.hi, 10);
  }
}

TEST(PlotThinned, PassesOverWhatIsNoNumber) {
  Thinned series;
  series.add({0, kNone});
  series.add({1, INFINITY});
  EXPECT_EQ(series.count(), 0u);
  EXPECT_TRUE(series.points().empty());
}

}  // namespace
}  // namespace mlq::plot
