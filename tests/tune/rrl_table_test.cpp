#include "lib/tune/tuner/rrl_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "lib/base/error.h"
#include "lib/tune/tuner/moves.h"
#include "lib/tune/tuner/rrl_estimator.h"
#include "tests/tune/searches.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

using test::observed;

// What a test's history and table tuner share.
struct Case {
  Case(const TableRules& rules, const Space& the_space, PointId start,
       std::unique_ptr<TableEstimator> estimator = nullptr)
      : space(the_space), tuner(rules, 1, the_space, std::move(estimator)), history(the_space, start) {
    history.level({.name = "r0c0", .rate_per_s = 100});
  }
  void tell(PointId point, double cost_ns, LevelId level = 0, TrialOutcome outcome = TrialOutcome::ok) {
    Observation row = observed(history.rows().size(), point, cost_ns, level);
    row.outcome = outcome;
    history.add(row);
    tuner.tell(history, history.rows().back());
  }
  double value(PointId point, LevelId level = 0) {  // us
    return tuner.table_of(history, level)->value(space.rank(point));
  }
  PointId ask(LevelId level = 0) {
    return tuner.ask(history, {.i = history.rows().size(), .level = level}).point;
  }

  const Space& space;
  TableTuner tuner;
  History history;
};

PointId at(const Space& space, uint32_t a, uint32_t b, uint32_t c) {
  return space.with_step(space.with_step(space.with_step(0, 0, a), 1, b), 2, c);
}

TEST(IndexBall, HasAsManyPointsAsThePaperSaysIn1To6Dimensions) {
  // Lattice points within 3 of the middle, away from the border.
  const size_t sizes[] = {7, 29, 123, 425, 1343, 4197};
  for (size_t d = 1; d <= 6; ++d) {
    const Space space = test::cube(d, 7);
    EXPECT_EQ(index_ball(space, space.middle(), 3).size(), sizes[d - 1]);
  }
}

TEST(RrlTable, TheFirstValueFillsTheTableAndThenARegionFollows) {
  const Space space = test::cube(3, 11);
  Case c({.alpha = 0.8, .radius = 0.3}, space, at(space, 5, 5, 5));
  EXPECT_EQ(c.ask(), at(space, 5, 5, 5));
  c.tell(at(space, 5, 5, 5), 50e6);
  for (const PointId p : space.points()) ASSERT_DOUBLE_EQ(c.value(p), 50'000);
  c.tell(at(space, 8, 5, 5), 10e6);
  size_t moved = 0;
  for (const PointId p : space.points()) {
    const int i = static_cast<int>(space.step(p, 0)) - 8, j = static_cast<int>(space.step(p, 1)) - 5,
              k = static_cast<int>(space.step(p, 2)) - 5;
    const bool inside = i * i + j * j + k * k <= 9;  // 0.3 is three steps of eleven values
    ASSERT_NEAR(c.value(p), inside ? 0.2 * 50'000 + 0.8 * 10'000 : 50'000, 1e-6);
    moved += inside ? 1 : 0;
  }
  EXPECT_EQ(moved, 122u);  // of the ball of 123 only (11, 5, 5) lies outside
}

TEST(RrlTable, WithoutARegionOnlyTheTriedPointMoves) {
  const Space space = test::cube(3, 11);
  Case c({.alpha = 0.3, .radius = {}}, space, 0);
  c.tell(0, 50e6);
  c.tell(700, 10e6);
  for (const PointId p : space.points())
    ASSERT_NEAR(c.value(p), p == 700 ? 0.7 * 50'000 + 0.3 * 10'000 : 50'000, 1e-6);
}

TEST(RrlTable, ThePolicyHasTheChancesOfItsWeights) {
  const Space space = test::cube(1, 3);
  Case c({.alpha = 1, .radius = {}}, space, 0);
  c.tell(0, 4'000e6);  // e = 5, 5.5, 4 (values 4 s, 3.6364 s, 5 s)
  c.tell(1, 20'000e6 / 5.5);
  c.tell(2, 5'000e6);
  const double w[] = {std::exp(5), std::exp(5.5), std::exp(4)};
  const double sum = w[0] + w[1] + w[2];
  int drawn[3] = {};
  for (uint64_t i = 0; i < 10'000; ++i) ++drawn[c.tuner.ask(c.history, {.i = i, .level = 0}).point];
  for (int k = 0; k < 3; ++k) {
    const double p = w[k] / sum;
    EXPECT_NEAR(drawn[k], 1e4 * p, 5 * std::sqrt(1e4 * p * (1 - p))) << k;
  }
}

TEST(RrlTable, ANewLevelBeginsWithTheNearestLevelsTable) {
  const Space space = test::cube(1, 9);
  Case c({.alpha = 1, .radius = {}}, space, 4);
  const LevelId fast = c.history.level({.name = "fast", .rate_per_s = 1000});
  const LevelId new_level = c.history.level({.name = "new", .rate_per_s = 700});
  c.tell(4, 40e6);
  c.tell(4, 10e6, fast);
  EXPECT_DOUBLE_EQ(c.value(4, new_level), 10'000);
  EXPECT_DOUBLE_EQ(c.value(5, new_level), 40'000);
  c.tell(5, 7e6, new_level);
  EXPECT_DOUBLE_EQ(c.value(5, new_level), 7'000);
  EXPECT_DOUBLE_EQ(c.value(5, fast), 40'000);
  c.tell(4, 30e6, fast);  // what others learn now is theirs
  EXPECT_DOUBLE_EQ(c.value(4, new_level), 10'000);
}

TEST(RrlTable, OtherObjectivesAreScaledToAFirstValueOf40000) {
  const Space space = test::cube(1, 5);
  Case c({.alpha = 1, .radius = {}, .latency = false}, space, 2);
  c.tell(2, 3.7);
  EXPECT_NEAR(c.value(2), 40'000, 1e-6);
  c.tell(3, 7.4);
  EXPECT_NEAR(c.value(3), 80'000, 1e-6);
  EXPECT_NEAR(c.tuner.predict(c.history, 0, 3)->y, std::log(7.4), 1e-9);
}

TEST(RrlTable, ABoundThatIsBetterThanWhatIsKnownSaysNothing) {
  const Space space = test::cube(1, 5);
  Case c({.alpha = 1, .radius = {}}, space, 2);
  c.tell(2, 40e6);
  c.tell(3, 10e6, 0, TrialOutcome::aborted);
  EXPECT_DOUBLE_EQ(c.value(3), 40'000);
  c.tell(3, 90e6, 0, TrialOutcome::aborted);
  EXPECT_DOUBLE_EQ(c.value(3), 90'000);
}

// An estimator that says what a test wrote down.
struct Told : TableEstimator {
  void add(const History&, const Observation&) override {}
  std::vector<double> estimate(const Level&, std::span<const PointId> points) override {
    std::vector<double> costs;
    for (const PointId p : points) costs.push_back(1e6 * (1 + static_cast<double>(p)));
    return costs;
  }
};

TEST(RrlTable, WithAnEstimatorTheRegionFollowsItAndNotTheObservation) {
  const Space space = test::cube(1, 21);
  Case c({.alpha = 0.3, .radius_steps = 3.0}, space, 10, std::make_unique<Told>());
  c.tell(10, 40e6);
  c.tell(12, 1e6);
  for (const PointId p : space.points()) {
    const bool inside = p >= 9 && p <= 15;
    ASSERT_NEAR(c.value(p), inside ? 0.7 * 40'000 + 0.3 * 1e3 * (1 + static_cast<double>(p)) : 40'000, 1e-6);
  }
}

TEST(RrlTable, TheCorrectionWeighsTriesAgainstTheEstimate) {
  const Space space = test::cube(1, 21);
  Case c({.alpha = 0.3, .radius_steps = 0.0, .observed_correction = true}, space, 10,
         std::make_unique<Told>());
  c.tell(10, 40e6);
  c.tell(12, 2e6);  // tau is 1 until ten trials were judged: half of ln 2 ms and half of ln 13 ms
  EXPECT_NEAR(c.value(12), 1e3 * std::sqrt(2.0 * 13), 1e-6);
  c.tell(12, 2e6);
  EXPECT_NEAR(c.value(12), 1e3 * std::cbrt(2.0 * 2 * 13), 1e-6);
}

TEST(RrlTable, ThePublishedStartIsTheMiddleAndFiveRunsOfTheDefault) {
  const Space space = test::cube(3, 11);
  Case c({.alpha = 0.3, .radius_steps = 3.0, .published = true}, space, 0, std::make_unique<Told>());
  EXPECT_EQ(c.ask(), at(space, 5, 5, 5));
  c.tell(at(space, 5, 5, 5), 40e6);
  for (int k = 0; k < 5; ++k) {
    EXPECT_EQ(c.ask(), 0u);
    c.tell(0, 90e6);
    for (const PointId p : space.points()) ASSERT_DOUBLE_EQ(c.value(p), 40'000);
  }
  const PointId first = c.ask();
  c.tell(first, 20e6);
  EXPECT_NE(c.value(first), 40'000);
}

TEST(RrlTable, ThePublishedEpisodeMeanLeavesOutTheLastRequest) {
  std::vector<int64_t> latencies(100, 10);
  latencies.back() = 1'000'000;
  latencies.front() = 109;
  EXPECT_DOUBLE_EQ(published_episode_mean_ns(latencies), 11);
}

TEST(RrlTable, NeedsAGridThatCanBeListed) {
  const Space space = test::cube(5, 40);
  EXPECT_THROW(TableTuner({}, 1, space, nullptr), Error);
}

}  // namespace
}  // namespace mlq::tune
