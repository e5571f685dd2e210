// What every tuner without a model of its own owes: valid points, the live configuration first, no barred
// point, and a resumed search that goes on as an unbroken one; and the rules of each.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "lib/base/error.h"
#include "tests/tune/searches.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

using test::Search;

// A bowl over three axes of 7, two unordered values, and a knob that matters only where `a` is over 2.
Space awkward_space() {
  std::vector<Axis> axes{test::counting_axis("a", 7), test::counting_axis("b", 7),
                         test::counting_axis("c", 5),
                         test::list_axis("mode", {KnobValue("x"), KnobValue("y"), KnobValue("z")})};
  axes[0].role = "batch";
  axes[2].when = test::expression("a > 2");
  return Space(std::move(axes), {}, {test::expression("a + b <= 9")});
}

test::Cost bowl(const Space& space) {
  return [&space](PointId p) {
    double sum = 0;
    const double best[] = {4, 2, 3, 1};
    for (size_t a = 0; a < space.dims(); ++a) {
      const double d = static_cast<double>(space.step(p, a)) - best[a];
      sum += d * d;
    }
    return 1e7 * fmath::exp(sum / 8);
  };
}

class Rival : public testing::TestWithParam<std::string> {
 protected:
  TunerOptions options() const {
    TunerOptions options;
    options.name = GetParam();
    options.seed = 7;
    options.limit_ns = 5e7;
    return options;
  }
  // As many trials, but a tenth of them for the network of `rrl`, which takes 30 ms a trial.
  size_t trials(size_t n) const { return GetParam() == "rrl" ? (n + 9) / 10 : n; }
  const Space space_ = awkward_space();
  const PointId start_ =
      space_.nearest({{"a", int64_t{3}}, {"b", int64_t{3}}, {"c", int64_t{1}}, {"mode", "x"}});
};

TEST_P(Rival, TriesTheLiveConfigurationFirstAndThenValidPointsOnly) {
  Search search(options(), space_, start_, bowl(space_));
  const auto points = search.run(trials(120));
  EXPECT_EQ(points.front(), start_);
  for (const PointId p : points) ASSERT_TRUE(space_.valid(p));
}

TEST_P(Rival, AResumedSearchDecidesAsTheUnbrokenOne) {
  Search whole(options(), space_, start_, bowl(space_)), broken(options(), space_, start_, bowl(space_));
  const auto points = whole.run(trials(1) + trials(6) + trials(23) + trials(15) + trials(25));
  std::vector<PointId> pieces;
  for (const size_t n : {1u, 6u, 23u, 15u, 25u}) {
    broken.resume();
    const auto piece = broken.run(trials(n));
    pieces.insert(pieces.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(pieces, points);
}

TEST_P(Rival, WhatFailedTwiceIsNotProposedAgain) {
  Search search(options(), space_, start_, bowl(space_));
  search.run(5);
  // All points with a = 4 and b = 2, the optimum among them.
  for (const PointId p : space_.points()) {
    if (space_.step(p, 0) != 4 || space_.step(p, 1) != 2) continue;
    for (int k = 0; k < 2; ++k) {
      Observation row = test::observed(search.history().rows().size(), p, 1e7);
      row.outcome = TrialOutcome::failed;
      row.y = std::nan("");
      search.history().add(row);
      search.tuner().tell(search.history(), search.history().rows().back());
    }
  }
  for (size_t k = 0; k < trials(40); ++k) {
    const PointId p = search.ask().point;
    ASSERT_FALSE(search.history().barred(p));
    search.tell(p);
  }
}

TEST_P(Rival, AnotherSeedDrawsOtherPointsWhereThereAreDraws) {
  const bool draws = GetParam() != "grid" && GetParam() != "aimd";
  TunerOptions other = options();
  other.seed = 8;
  EXPECT_EQ(Search(options(), space_, start_, bowl(space_)).run(trials(60)) !=
                Search(other, space_, start_, bowl(space_)).run(trials(60)),
            draws);
}

INSTANTIATE_TEST_SUITE_P(All, Rival,
                         testing::Values("random", "grid", "hill", "tpe", "tpe:multivariate", "rrl",
                                         "rrl-region", "noregion", "capes-like", "capes-like:paper",
                                         "deeprm-like", "deeprm-like:warm", "aimd"),
                         [](const auto& test_info) {
                           std::string name = test_info.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

TEST(Random, NoPointComesTwiceUntilAllWereTried) {
  const Space space = test::cube(3, 4);
  TunerOptions options;
  options.name = "random";
  Search search(options, space, 5, [](PointId) { return 1e6; });
  const auto points = search.run(64);
  EXPECT_EQ(std::set<PointId>(points.begin(), points.end()).size(), 64u);
  EXPECT_TRUE(space.valid(search.ask().point));
}

TEST(Random, EachPointHasTheSameChance) {
  const Space space = test::cube(1, 5);
  int second[5] = {};
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    TunerOptions options;
    options.name = "random";
    options.seed = seed;
    Search search(options, space, 2, [](PointId) { return 1e6; });
    ++second[search.run(2)[1]];
  }
  EXPECT_EQ(second[2], 0);
  for (const int k : {0, 1, 3, 4}) EXPECT_NEAR(second[k], 1000, 5 * std::sqrt(750));  // five deviations
}

TEST(Grid, GoesRowByRowAndEnds) {
  const Space space = test::cube(2, 3);
  TunerOptions options;
  options.name = "grid";
  Search search(options, space, 4, [](PointId p) { return 1e6 + static_cast<double>(p == 7 ? 0 : p + 1); });
  EXPECT_EQ(search.run(9), (std::vector<PointId>{4, 0, 1, 2, 3, 5, 6, 7, 8}));
  EXPECT_TRUE(search.ask().finished);
  EXPECT_EQ(search.ask().point, 7u);
}

// One axis: home 10, three neighbours. Of those with a value not seen the first comes first: 7, 8, 9.
TEST(Hill, MeasuresThreeNeighboursAndStepsAlongTheMeanGain) {
  const Space space = test::cube(1, 21);
  TunerOptions options;
  options.name = "hill";
  // Relative gains over home (2 (h - c) / (h + c)), a step: -0.0952 / -3, -0.0645 / -2, -0.0328 / -1: means
  // of 0.032: under 0.09, so no step; the best measured neighbour is home itself: the climb ends.
  Search flat(options, space, 10,
              [](PointId p) { return 1e6 * (1 + 0.0333 * (10 - static_cast<double>(p))); });
  EXPECT_EQ(flat.run(4), (std::vector<PointId>{10, 7, 8, 9}));
  const PointId restart = flat.ask().point;
  EXPECT_TRUE(restart < 7 || restart > 10);
  // Costs that double with each step to the left: gains of -14/9, -6/5 and -2/3 over -3, -2, -1 steps: mean
  // 0.595, two steps to the right.
  Search steep(options, space, 10, [](PointId p) {
    return 1e6 * fmath::exp(0.6931471805599453 * (10.0 - static_cast<double>(p)));
  });
  EXPECT_EQ(steep.run(5), (std::vector<PointId>{10, 7, 8, 9, 12}));
  // 12 is better. Around it 9 and 10 are known; the first with a value not seen is 11, and three are enough.
  EXPECT_EQ(steep.run(1), (std::vector<PointId>{11}));
}

TEST(Hill, AHomeThatIsNoBetterGivesWayToTheBestNeighbour) {
  const Space space = test::cube(1, 21);
  TunerOptions options;
  options.name = "hill";
  // To the right it seems to fall, but 12 is a wall. Of the neighbours 7 is better than 10, and from there
  // the mean gain of 8, 9 and 10 (-1.83, -1.83 / 2 and -0.11 / 3) is two steps to the left.
  Search search(options, space, 10, [](PointId p) {
    const double cost[] = {9, 9, 9, 9, 9, 9, 9, 0.9, 20, 20, 1, 9, 50};
    return 1e6 * (p < 13 ? cost[p] : 60);
  });
  EXPECT_EQ(search.run(6), (std::vector<PointId>{10, 7, 8, 9, 12, 5}));
}

TEST(Hill, FindsTheBottomOfABowl) {
  const Space space = test::cube(3, 11);
  TunerOptions options;
  options.name = "hill";
  const auto cost = [&](PointId p) {
    double sum = 0;
    for (size_t a = 0; a < 3; ++a) sum += std::fabs(static_cast<double>(space.step(p, a)) - 7);
    return 1e7 * fmath::exp(sum / 4);
  };
  Search search(options, space, 0, cost);
  search.run(60);
  const auto best = search.tuner().recommend(search.history(), 0);
  ASSERT_TRUE(best);
  EXPECT_LE(cost(*best), 1e7 * fmath::exp(0.5));
}

TEST(Aimd, AddsTwoUnderTheLimitAndTakesATenthOverIt) {
  Space space = [] {
    std::vector<Axis> axes{test::counting_axis("b", 65)};
    axes[0].role = "batch";
    return Space(std::move(axes), {}, {});
  }();
  TunerOptions options;
  options.name = "aimd";
  options.limit_ns = 40e6;
  // p95 is twice the cost: 2 * 1 ms a row: over the limit from 20 rows on; the dead band begins at 18.
  Search up(options, space, 1, [](PointId p) { return 1e6 * static_cast<double>(p); });
  EXPECT_EQ(up.run(12), (std::vector<PointId>{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 19, 19}));
  Search down(options, space, 30, [](PointId p) { return 1e6 * static_cast<double>(p); });
  EXPECT_EQ(down.run(6), (std::vector<PointId>{30, 27, 24, 21, 19, 19}));  // 30, 27, 24.3, 21.87, 19.683
}

TEST(Aimd, NeedsOneKnobOfThatRoleAndALimit) {
  TunerOptions options;
  options.name = "aimd";
  const Space space = test::cube(2, 3);
  EXPECT_THROW(make_tuner(options, space), Error);
  std::vector<Axis> axes{test::counting_axis("b", 5)};
  axes[0].role = "batch";
  const Space batch(std::move(axes), {}, {});
  EXPECT_THROW(make_tuner(options, batch), Error);
  options.limit_ns = 1e6;
  EXPECT_NO_THROW(make_tuner(options, batch));
}

}  // namespace
}  // namespace mlq::tune
