#include "lib/plot/windows.h"

#include <gtest/gtest.h>

#include "lib/plot/rate.h"

namespace mlq::plot {
namespace {

struct Count {
  uint64_t count = 0;
  void merge(const Count& other) { count += other.count; }
};

TEST(PlotWindows, EachWidthDividesTheNext) {
  int64_t width = kNarrowestWindow;
  int steps = 0;
  for (; wider_window(width) != width; width = wider_window(width), ++steps) {
    ASSERT_GT(wider_window(width), width);
    ASSERT_EQ(wider_window(width) % width, 0) << width;
  }
  EXPECT_GT(width, int64_t{1} << 58);
  EXPECT_LT(steps, 60);
}

TEST(PlotWindows, AnIndexIsTheFloorOfNegativeTimesToo) {
  EXPECT_EQ(window_index(0, 10), 0);
  EXPECT_EQ(window_index(9, 10), 0);
  EXPECT_EQ(window_index(10, 10), 1);
  EXPECT_EQ(window_index(-1, 10), -1);
  EXPECT_EQ(window_index(-10, 10), -1);
  EXPECT_EQ(window_index(-11, 10), -2);
}

// Times that spread over `span`, in no order.
std::vector<int64_t> times(int64_t span, size_t n) {
  std::vector<int64_t> out;
  uint64_t state = 1;
  for (size_t i = 0; i < n; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    out.push_back(static_cast<int64_t>((state >> 11) % static_cast<uint64_t>(span)));
  }
  return out;
}

TEST(PlotWindows, CountsAreThoseOfTheLastWidthFromTheStart) {
  for (const int64_t span : {int64_t{1'000}, int64_t{5'000'000}, int64_t{90'000'000'000}, int64_t{1} << 61}) {
    Windows<Count> windows;
    const std::vector<int64_t> all = times(span, 5'000);
    for (const int64_t t : all) ++windows.at(t).count;
    std::map<int64_t, uint64_t> expected;
    for (const int64_t t : all) ++expected[t / windows.width_ns()];
    ASSERT_EQ(windows.cells().size(), expected.size()) << span;
    for (const auto& [index, cell] : windows.cells()) EXPECT_EQ(cell.count, expected[index]) << span;
    EXPECT_LE(windows.cells().rbegin()->first - windows.cells().begin()->first, 240);
    // No wider than need be: with the width before there would have been too many.
    if (span == 90'000'000'000) EXPECT_EQ(windows.width_ns(), 1'000'000'000);
  }
}

TEST(PlotWindows, AStreamThatBeginsLateIsNotMadeCoarseByThat) {
  Windows<Count> windows;
  for (int64_t i = 0; i < 100; ++i) ++windows.at(36'000'000'000'000 + i * 1'000'000).count;
  EXPECT_EQ(windows.width_ns(), 1'000'000);
}

TEST(PlotWindows, AreLimitedToWhatTheRecordsAllow) {
  EXPECT_EQ(windows_for(0), 20);
  EXPECT_EQ(windows_for(1'000), 50);
  EXPECT_EQ(windows_for(1'000'000), 240);
  Windows<Count> windows;
  for (int64_t i = 0; i < 100; ++i) ++windows.at(i * 1'000'000).count;
  windows.limit(50);
  EXPECT_EQ(windows.width_ns(), 2'000'000);
  EXPECT_EQ(windows.cells().size(), 50u);
  for (const auto& [index, cell] : windows.cells()) EXPECT_EQ(cell.count, 2u);
  Windows<Count> none;
  none.limit(1);
  EXPECT_TRUE(none.cells().empty());
}

TEST(PlotRate, OfEvenArrivalsIsTheirRateToTheLastWindow) {
  RateCurve curve;
  for (int64_t i = 0; i < 3'000; ++i) curve.add(i * 10'000'000);  // 100/s for 30 s
  const std::vector<Point> points = curve.points(0, 30'000'000'000);
  ASSERT_EQ(points.size(), 150u);  // in 200 ms
  for (const Point& p : points) EXPECT_DOUBLE_EQ(p.y, 100);
  EXPECT_DOUBLE_EQ(points.front().x, 0.1);
  EXPECT_EQ(curve.label("arrivals"), "arrivals (in 200ms)");
}

TEST(PlotRate, IsZeroWhereNothingHappened) {
  RateCurve curve;
  for (const int64_t t : {int64_t{0}, int64_t{100'000'000'000}}) curve.add(t);
  const std::vector<Point> points = curve.points(0, 101'000'000'000);
  ASSERT_EQ(points.size(), 101u);
  EXPECT_DOUBLE_EQ(points[0].y, 1);
  EXPECT_DOUBLE_EQ(points[50].y, 0);
}

TEST(PlotRate, OfALastWindowThatIsCutCountsTheTimeThatItHas) {
  RateCurve curve;
  for (int64_t i = 0; i <= 207; ++i)
    curve.add(i * 500'000'000);  // 2/s; the last window of 1 s is [103 s, 104 s)
  const std::vector<Point> points = curve.points(0, 103'800'000'000);
  ASSERT_EQ(points.size(), 104u);
  EXPECT_DOUBLE_EQ(points.front().y, 2);
  EXPECT_DOUBLE_EQ(points.back().y, 2 / 0.8);
  EXPECT_DOUBLE_EQ(points.back().x, 103.4);
  // Of less than half a window nothing is said.
  EXPECT_EQ(curve.points(0, 103'400'000'000).size(), 103u);
}

}  // namespace
}  // namespace mlq::plot
