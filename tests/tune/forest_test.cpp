#include "lib/tune/learn/forest.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

const std::vector<Level> kLevels{{"r0", 100, false}, {"r4", 400, false}};

GpRows all_points(const Features& features, LevelId level, auto value) {
  GpRows rows;
  const auto points = features.space().points();
  rows.x.resize(points.size() * features.columns());
  for (size_t k = 0; k < points.size(); ++k) {
    features.encode(points[k], std::span<double>(rows.x).subspan(k * features.columns(), features.columns()));
    rows.level.push_back(level);
    rows.own_var.push_back(0);
    rows.y.push_back(value(points[k]));
  }
  return rows;
}

TEST(Forest, AStepFunctionIsLearntExactly) {
  const Space space = test::cube(3, 6);
  const Features features(space);
  const auto step = [&](PointId p) { return space.step(p, 1) >= 3 ? 2.0 : -1.0; };
  Forest forest(features);
  forest.fit(all_points(features, 0, step), kLevels, 1, 0);
  for (const PointId point : space.points()) {
    EXPECT_EQ(forest.predict(point, 0).mean, step(point));
    EXPECT_EQ(forest.predict(point, 0).sd, std::sqrt(Forest::kLeastVariance));
  }
}

TEST(Forest, ItsVarianceIsThatOfLeavesAndAmongTrees) {
  const Space space = test::cube(1, 2);
  const Features features(space);
  GpRows rows = all_points(features, 0, [](PointId p) { return static_cast<double>(p); });
  // Two rows at each point, 1 apart: no split can part them.
  for (size_t k = 0; k < 2; ++k) {
    rows.x.push_back(rows.x[k]);
    rows.level.push_back(0);
    rows.own_var.push_back(0);
    rows.y.push_back(rows.y[k] + 1);
  }
  Forest forest(features);
  forest.fit(rows, kLevels, 1, 0);
  EXPECT_EQ(forest.predict(1, 0).mean, 1.5);
  EXPECT_EQ(forest.predict(1, 0).sd, 0.5);
}

TEST(Forest, LevelsAndStringsAreFeatures) {
  std::vector<Axis> axes{test::list_axis("s", {std::string("a"), std::string("b"), std::string("c")})};
  const Space space(std::move(axes), {}, {});
  const Features features(space);
  EXPECT_EQ(features.columns(), 3u);
  GpRows rows = all_points(features, 0, [](PointId p) { return p == 1 ? 1.0 : 0.0; });
  const GpRows more = all_points(features, 1, [](PointId p) { return p == 2 ? 5.0 : 3.0; });
  rows.x.insert(rows.x.end(), more.x.begin(), more.x.end());
  rows.level.insert(rows.level.end(), more.level.begin(), more.level.end());
  rows.own_var.insert(rows.own_var.end(), more.own_var.begin(), more.own_var.end());
  rows.y.insert(rows.y.end(), more.y.begin(), more.y.end());
  Forest forest(features);
  forest.fit(rows, kLevels, 1, 0);
  EXPECT_EQ(forest.predict(1, 0).mean, 1);
  EXPECT_EQ(forest.predict(2, 0).mean, 0);
  EXPECT_EQ(forest.predict(2, 1).mean, 5);
  EXPECT_EQ(forest.predict(1, 1).mean, 3);
}

TEST(Forest, ManyPointsTogetherAreWhatTheyAreAlone) {
  const Space space = test::cube(3, 7);
  const Features features(space);
  Draws draws(1, Purpose::design, 0);
  Forest forest(features);
  forest.fit(all_points(features, 0, [&](PointId) { return draws.normal(); }), kLevels, 3, 4);
  std::vector<double> mean(343), variance(343);
  forest.predict(space.points(), 0, mean, variance);
  for (const PointId point : space.points()) {
    EXPECT_EQ(forest.predict(point, 0).mean, mean[point]);
    EXPECT_EQ(forest.predict(point, 0).sd, std::sqrt(variance[point]));
  }
}

}  // namespace
}  // namespace mlq::tune
