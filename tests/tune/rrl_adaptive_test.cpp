#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "lib/base/error.h"
#include "lib/tune/tuner/finalists.h"
#include "lib/tune/tuner/tuner.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

// A bowl with its bottom at the steps (7, 3, 2), y there 0, and a cliff beyond a sum of 18 steps.
double bowl(const Space& space, PointId point) {
  constexpr double bottom[] = {7, 3, 2};
  double square = 0, sum = 0;
  for (size_t a = 0; a < space.dims(); ++a) {
    const double step = space.step(point, a);
    square += (step - bottom[a]) * (step - bottom[a]);
    sum += step;
  }
  return 0.03 * square + (sum > 18 ? 4.0 : 0.0);
}

struct Search {
  const Space& space;
  TunerOptions options;
  uint64_t budget = 60;
  double noise = 0.05;
  std::unique_ptr<Tuner> tuner;
  History history;
  std::vector<PointId> asked;
  std::vector<Choice> choices;
  double (*truth)(const Space&, PointId) = bowl;

  Search(const Space& s, TunerOptions o)
      : space(s), options(std::move(o)), tuner(maker()(options, s)), history(s, s.middle()) {
    history.level({"r0", 100, false});
    history.level({"r2", 200, false});
  }
  std::unique_ptr<Tuner> (*maker() const)(const TunerOptions&, const Space&) {
    if (options.name == "gp-ei" || options.name == "gp-ei:stop") return make_gp_ei;
    return options.name == "forest-ei" ? make_forest_ei : make_rrl_adaptive;
  }
  Observation row(uint64_t i, LevelId level, const Choice& choice) const {
    Observation out;
    out.i = i;
    out.level = level;
    out.point = choice.point;
    out.confirm = choice.confirm;
    Draws draws(options.seed, Purpose::surface_noise, i);
    out.y = truth(space, choice.point) + noise * draws.normal() + (level == 1 ? 0.7 : 0.0);
    return out;
  }
  // Trials first .. last - 1, the level changing every 10th.
  void run(uint64_t first, uint64_t last, bool levels = false) {
    for (uint64_t i = first; i < last; ++i) {
      const LevelId level = levels ? static_cast<LevelId>(i / 10 % 2) : 0;
      const Choice choice = tuner->ask(history, {i, level, budget, 0});
      if (choice.finished) break;
      asked.push_back(choice.point);
      choices.push_back(choice);
      history.add(row(i, level, choice));
      tuner->tell(history, history.rows().back());
    }
  }
};

TunerOptions named(std::string name, uint64_t seed = 1) {
  TunerOptions options;
  options.name = std::move(name);
  options.seed = seed;
  return options;
}

TEST(RrlAdaptive, BeginsWithTheLiveConfigurationAndTheMiddle) {
  const Space space = test::cube(3, 11);
  Search search(space, named("rrl-a"));
  search.history.set_start(5);
  search.run(0, 6);
  EXPECT_EQ(search.asked[0], 5u);
  EXPECT_EQ(search.asked[1], space.middle());
  EXPECT_EQ(std::set<PointId>(search.asked.begin(), search.asked.end()).size(), 6u);
  for (const Choice& choice : search.choices) EXPECT_EQ(choice.set, "init");
}

TEST(RrlAdaptive, FindsTheBottomOfABowlBesideACliff) {
  const Space space = test::cube(3, 11);
  for (const uint64_t seed : {1u, 2u, 3u, 4u}) {
    Search search(space, named("rrl-a", seed));
    search.run(0, 60);
    EXPECT_LT(bowl(space, *search.tuner->recommend(search.history, 0)), 0.1) << seed;
  }
}

TEST(RrlAdaptive, TriesNoPointMoreThanTwiceBeforeTheFinals) {
  const Space space = test::cube(3, 11);
  Search search(space, named("rrl-a"));
  search.run(0, 60);
  std::map<PointId, int> tries;
  for (const Choice& choice : search.choices)
    if (!choice.confirm) ++tries[choice.point];
  for (const auto& [point, n] : tries) EXPECT_LE(n, 2);
}

TEST(RrlAdaptive, ASearchThatIsResumedGoesOnAsTheUnbrokenOne) {
  const Space space = test::cube(3, 11);
  Search whole(space, named("rrl-a"));
  whole.budget = 80;
  whole.run(0, 80, true);
  for (const uint64_t cut : {3u, 17u, 30u, 66u}) {
    Search resumed(space, named("rrl-a"));
    resumed.budget = 80;
    for (uint64_t i = 0; i < cut; ++i) {
      resumed.history.add(whole.history.rows()[i]);
      resumed.tuner->tell(resumed.history, resumed.history.rows().back());
    }
    resumed.run(cut, 80, true);
    ASSERT_EQ(resumed.asked.size() + cut, whole.asked.size());
    for (uint64_t i = cut; i < whole.asked.size(); ++i)
      EXPECT_EQ(resumed.asked[i - cut], whole.asked[i]) << cut;
  }
}

TEST(RrlAdaptive, WhatWasAskedInBetweenChangesNothing) {
  const Space space = test::cube(3, 11);
  Search plain(space, named("rrl-a")), curious(space, named("rrl-a"));
  plain.run(0, 30, true);
  for (uint64_t i = 0; i < 30; ++i) {
    curious.run(i, i + 1, true);
    curious.tuner->predict(curious.history, 1, 77);
    curious.tuner->recommend(curious.history, 1);
    curious.tuner->value(curious.history, 0, 77);
  }
  EXPECT_EQ(curious.asked, plain.asked);
}

TEST(RrlAdaptive, ANewLevelBeginsWhereTheOthersWereGood) {
  const Space space = test::cube(3, 11);
  Search search(space, named("rrl-a"));
  search.run(0, 40);
  const Choice choice = search.tuner->ask(search.history, {40, 1, 100, 0});
  EXPECT_LT(bowl(space, choice.point), 0.3);
  EXPECT_EQ(choice.estimator, "gp");
}

TEST(RrlAdaptive, ProposesNothingThatFailedTwice) {
  const Space space = test::cube(2, 5);
  Search search(space, named("rrl-a"));
  search.run(0, 6);
  const Choice choice = search.tuner->ask(search.history, {6, 0, 100, 0});
  for (int k = 0; k < 2; ++k) {
    Observation row = search.row(6 + k, 0, choice);
    row.outcome = TrialOutcome::failed;
    row.y = std::nan("");
    search.history.add(row);
    search.tuner->tell(search.history, search.history.rows().back());
  }
  search.asked.clear();
  search.run(8, 40);
  for (const PointId point : search.asked) EXPECT_NE(point, choice.point);
}

TEST(RrlAdaptive, KeepsToTheLimitsOnceItKnowsThem) {
  const Space space = test::cube(2, 9);
  TunerOptions options = named("rrl-a", 3);
  Search search(space, options);
  search.budget = 60;
  // The cost falls towards (8, 8); what is beyond step 4 of the first axis breaks another limit.
  uint64_t broken = 0, after = 0;
  for (uint64_t i = 0; i < 45; ++i) {
    const Choice choice = search.tuner->ask(search.history, {i, 0, 60, 0});
    Observation row = search.row(i, 0, choice);
    const double a = space.step(choice.point, 0), b = space.step(choice.point, 1);
    row.y = 1 - 0.1 * a - 0.05 * b + 0.02 * (row.y - bowl(space, choice.point));
    row.slack = {0.3 * (a - 4.5)};
    row.feasible = row.slack[0] <= 0;
    if (i >= 20) {
      ++after;
      broken += row.feasible ? 0 : 1;
    }
    search.history.add(row);
    search.tuner->tell(search.history, search.history.rows().back());
  }
  EXPECT_LT(broken * 3, after);
  const PointId best = *search.tuner->recommend(search.history, 0);
  EXPECT_EQ(space.step(best, 0), 4u);
  EXPECT_GE(space.step(best, 1), 6u);
}

TEST(RrlAdaptive, SafeTrialsAreRarelyMuchWorseThanTheIncumbent) {
  const Space space = test::cube(3, 11);
  int worse[2] = {0, 0};
  for (const bool safe : {false, true}) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      TunerOptions options = named("rrl-a", seed);
      options.safe = safe;
      Search search(space, options);
      search.run(0, 40);
      for (const PointId point : search.asked) worse[safe] += bowl(space, point) > std::log(3.0) ? 1 : 0;
    }
  }
  EXPECT_LE(2 * worse[1], worse[0]);
}

TEST(RrlAdaptive, RowsOfAnEarlierSearchAreLearntFromAndAreNoTries) {
  const Space space = test::cube(3, 11);
  Search earlier(space, named("rrl-a", 2));
  earlier.run(0, 40);
  Search search(space, named("rrl-a"));
  for (Observation row : earlier.history.rows()) {
    row.prior = true;
    search.history.add(row);
    search.tuner->tell(search.history, row);
  }
  search.run(0, 2);
  EXPECT_EQ(search.asked[0], search.history.start());
  EXPECT_LT(bowl(space, search.asked[1]), 0.3);
}

TEST(RrlAdaptive, ASpaceThatIsExhaustedIsFinished) {
  const Space space = test::cube(1, 3);
  Search search(space, named("rrl-a"));
  search.budget = 1000;
  search.run(0, 1000);
  EXPECT_LT(search.asked.size(), 40u);
}

TEST(RrlAdaptive, WordsItDoesNotKnowAreUsageErrors) {
  const Space space = test::cube(1, 3);
  for (const char* wide : {"sometimes", "every:0", "every:", "stale:x"}) {
    TunerOptions options = named("rrl-a");
    options.wide = wide;
    EXPECT_THROW(make_rrl_adaptive(options, space), Error) << wide;
  }
  TunerOptions options = named("rrl-a");
  options.estimators = "both";
  EXPECT_THROW(make_rrl_adaptive(options, space), Error);
}

TEST(Finalists, TheEqualOneWithTheFewestChangesIsKept) {
  const Space space = test::cube(2, 5);
  History history(space, 0);
  history.level({"r0", 100, false});
  const std::vector<PointId> points{24, 1, 12};
  for (int k = 0; k < 4; ++k)
    for (const auto& [point, y] : {std::pair<PointId, double>{24, 1.0}, {1, 1.005}, {12, 1.5}}) {
      Observation row;
      row.point = point;
      row.y = y + 0.001 * (k % 2);
      row.confirm = true;
      history.add(row);
    }
  const auto judged = judge_finalists(history, 0, points, 0.001);
  EXPECT_TRUE(judged[1].settled);
  EXPECT_TRUE(judged[2].settled);
  EXPECT_FALSE(next_finalist(judged));
  EXPECT_EQ(pick_finalist(space, 0, judged, std::vector<double>{1.0, 1.005, 1.5}), 1u);
  EXPECT_EQ(pick_finalist(space, 0, judged, std::vector<double>{1.0, 1.05, 1.5}), 24u);
}

TEST(GpEi, FindsTheBottomAndStopsOnlyWhereItMay) {
  const Space space = test::cube(3, 11);
  Search search(space, named("gp-ei"));
  search.run(0, 40);
  EXPECT_EQ(search.asked.size(), 40u);
  EXPECT_LT(bowl(space, *search.tuner->recommend(search.history, 0)), 0.15);
  Search stopped(space, named("gp-ei:stop"));
  stopped.run(0, 60);
  EXPECT_LT(stopped.asked.size(), 60u);
}

TEST(ForestEi, FindsTheBottomAndRepeatsItsChallengers) {
  const Space space = test::cube(3, 11);
  Search search(space, named("forest-ei"));
  search.run(0, 60);
  EXPECT_LT(bowl(space, *search.tuner->recommend(search.history, 0)), 0.15);
  const PointId best = *search.tuner->recommend(search.history, 0);
  EXPECT_GE(search.history.at(0, best)->n, 2u);
}

}  // namespace
}  // namespace mlq::tune
