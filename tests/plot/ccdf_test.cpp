#include "lib/plot/ccdf.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mlq::plot {
namespace {

TEST(PlotCcdf, OfFewSmallValuesIsExact) {
  stats::Histogram h;
  for (const int64_t v : {10, 20, 20, 100}) h.record(v);
  const std::vector<Point> points = ccdf(h);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_DOUBLE_EQ(points[0].x, 10e-9);
  EXPECT_DOUBLE_EQ(points[0].y, 1);
  EXPECT_DOUBLE_EQ(points[1].x, 20e-9);
  EXPECT_DOUBLE_EQ(points[1].y, 0.75);
  EXPECT_DOUBLE_EQ(points[2].x, 100e-9);
  EXPECT_DOUBLE_EQ(points[2].y, 0.25);
}

// At every point: the share of the values that are at least as large, by counting, for a value within a
// bucket.
TEST(PlotCcdf, OfManyValuesIsTheirShareByCounting) {
  stats::Histogram h;
  std::vector<int64_t> values;
  for (uint64_t i = 1; i <= 20'000; ++i)
    values.push_back(static_cast<int64_t>((i * i * 2654435761u) % 3'000'000'000));
  for (const int64_t v : values) h.record(v);
  std::sort(values.begin(), values.end());
  const auto share_from = [&](double x_ns) {
    const auto at = std::lower_bound(values.begin(), values.end(), x_ns,
                                     [](int64_t v, double x) { return static_cast<double>(v) < x; });
    return static_cast<double>(values.end() - at) / static_cast<double>(values.size());
  };
  const std::vector<Point> points = ccdf(h);
  EXPECT_GT(points.size(), 50u);
  EXPECT_LT(points.size(), 3'000u);
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    EXPECT_LE(points[i].y, share_from(points[i].x * 1e9 * 0.995));
    EXPECT_GE(points[i].y, share_from(points[i].x * 1e9 * 1.005));
    EXPECT_GE(points[i].y, points[i + 1].y);
    EXPECT_LE(points[i].x, points[i + 1].x);
  }
  EXPECT_DOUBLE_EQ(points.back().x, static_cast<double>(values.back()) / 1e9);
}

TEST(PlotCcdf, OfNothingIsNothing) { EXPECT_TRUE(ccdf(stats::Histogram()).empty()); }

}  // namespace
}  // namespace mlq::plot
