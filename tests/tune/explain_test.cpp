// What explain and policies say of trials whose truth is known.
#include "lib/tune/drive/explain.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lib/tune/drive/baseline.h"
#include "lib/tune/drive/policy.h"
#include "tests/tune/searches.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

// Student's t at 97.5 % with 2 degrees of freedom, and at 95 %: tables.
constexpr double kT2TwoSided = 4.302652729911275;

// All points of a 4 x 4 grid at two levels; y = 16 + 0.1 (a - a0)^2 + 0.02 (b - b0)^2.
struct Known {
  Space space = test::cube(2, 4);
  History history{space, 0};
  std::unique_ptr<Tuner> tuner;

  Known() {
    TunerOptions options;
    options.name = "random";  // without a model: only what was measured is known
    tuner = make_tuner(options, space);
    const LevelId low = history.level({.name = "low", .rate_per_s = 100});
    const LevelId high = history.level({.name = "high", .rate_per_s = 400});
    uint64_t i = 0;
    for (const PointId point : space.points()) {
      add(i++, point, low, y(point, 1, 2));
      add(i++, point, high, y(point, 3, 2));
    }
  }
  double y(PointId point, double a0, double b0) const {
    const double a = space.step(point, 0), b = space.step(point, 1);
    return 16 + 0.1 * (a - a0) * (a - a0) + 0.02 * (b - b0) * (b - b0);
  }
  void add(uint64_t i, PointId point, LevelId level, double y) {
    Observation row;
    row.i = i;
    row.point = point;
    row.level = level;
    row.y = y;
    history.add(row);
  }
};

TEST(Explain, EffectsAreThoseOfOneKnobAroundTheChoice) {
  Known k;
  const auto all = effects(k.history, *k.tuner, 0);
  ASSERT_EQ(all.size(), 8u);
  for (size_t n = 0; n < 8; ++n) {
    const double step = static_cast<double>(n % 4);
    EXPECT_EQ(all[n].level, "low");
    EXPECT_EQ(all[n].knob, n < 4 ? "a" : "b");
    EXPECT_EQ(all[n].value->text, std::to_string(n % 4));
    const double wanted = n < 4 ? 16 + 0.1 * (step - 1) * (step - 1) : 16 + 0.02 * (step - 2) * (step - 2);
    EXPECT_NEAR(*all[n].y, wanted, 1e-12);
    EXPECT_FALSE(all[n].y_lo) << "one window has no interval";
  }
}

TEST(Explain, AnEffectOfSeveralWindowsHasTheirStudentInterval) {
  Known k;
  const PointId best = *k.tuner->recommend(k.history, 0);
  const PointId beside = k.space.with_step(best, 0, 2);  // y = 16.1
  k.add(100, beside, 0, 16.0);
  k.add(101, beside, 0, 16.2);
  const auto all = effects(k.history, *k.tuner, 0);
  const records::Effect& effect = all[2];
  EXPECT_NEAR(*effect.y, 16.1, 1e-12);
  const double half = kT2TwoSided * 0.1 / std::sqrt(3.0);
  EXPECT_NEAR(*effect.y_lo, 16.1 - half, 1e-9);
  EXPECT_NEAR(*effect.y_hi, 16.1 + half, 1e-9);
}

TEST(Explain, RivalsAreTheNeighboursByTheirLoss) {
  Known k;
  const auto rivals = nearest_rivals(k.history, *k.tuner, 0);
  // The choice is (1, 2): b one step either way costs 0.02 in ln, a 0.1.
  ASSERT_EQ(rivals.size(), 4u);
  EXPECT_EQ(config_json(rivals[0].config).substr(0, 6), R"({"a":1)");
  EXPECT_NEAR(rivals[0].loss, std::expm1(0.02), 1e-12);
  EXPECT_NEAR(rivals[1].loss, std::expm1(0.02), 1e-12);
  EXPECT_NEAR(rivals[2].loss, std::expm1(0.1), 1e-12);
  EXPECT_NEAR(rivals[3].loss, std::expm1(0.1), 1e-12);
  EXPECT_EQ(nearest_rivals(k.history, *k.tuner, 0, nullptr, 2).size(), 2u);
}

TEST(Explain, AChoiceFlipsAtTheGeometricMeanOfTheRates) {
  Known k;
  const auto all = flips(k.history, *k.tuner);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].knob, "a");
  EXPECT_EQ(all[0].from.text, "1");
  EXPECT_EQ(all[0].to.text, "3");
  EXPECT_NEAR(all[0].rate_per_s, 200, 1e-9);
}

TEST(Explain, NothingIsSaidOfALevelWithoutTrials) {
  Known k;
  const LevelId other = k.history.level({.name = "other", .rate_per_s = 900});
  EXPECT_TRUE(effects(k.history, *k.tuner, other).empty());
  EXPECT_TRUE(nearest_rivals(k.history, *k.tuner, other).empty());
  EXPECT_EQ(flips(k.history, *k.tuner).size(), 1u);
}

// --- policies

TurnResult window(double y, TrialOutcome outcome = TrialOutcome::ok, const char* level = "low") {
  TurnResult out;
  out.row.y = y;
  out.row.outcome = outcome;
  out.row.feasible = outcome == TrialOutcome::ok;
  out.trial.level = level;
  return out;
}

Confirmation pairs(std::initializer_list<double> differences) {
  Confirmation c;
  c.level = 0;
  for (const double d : differences) c.add(window(16), window(16 + d));
  return c;
}

TEST(Confirmation, IsBetterWhenTheOneSidedBoundIsBelowNothing) {
  // Three pairs: mean + t(95 %, 2) sd / sqrt(3); t = 2.92.
  EXPECT_TRUE(pairs({-0.1, -0.1, -0.1}).better());
  EXPECT_FALSE(pairs({0.01, 0.01, 0.01}).better());
  // sd 0.01: bound = mean + 0.01686.
  EXPECT_TRUE(pairs({-0.027, -0.017, -0.007}).better());   // -0.017 + 0.01686
  EXPECT_FALSE(pairs({-0.026, -0.016, -0.006}).better());  // -0.016 + 0.01686
  EXPECT_FALSE(pairs({-0.5}).better()) << "one pair is no proof";
}

TEST(Confirmation, IsBetterWhereTheStartNeverKeepsTheObjective) {
  const auto missed = [] {
    TurnResult result = window(20);
    result.row.feasible = false;
    return result;
  };
  Confirmation c;
  c.add(window(20, TrialOutcome::aborted), window(16));
  EXPECT_FALSE(c.better()) << "one pair is no proof";
  c.add(missed(), window(16));
  EXPECT_TRUE(c.better());
  c.add(window(20, TrialOutcome::none), window(16));
  EXPECT_EQ(c.pairs, 2u) << "a void window says nothing";
  c.add(window(20, TrialOutcome::aborted), missed());
  EXPECT_FALSE(c.better()) << "the best misses it too";
}

TEST(Confirmation, AWindowThatBreaksTheObjectiveIsNoConfirmation) {
  Confirmation c = pairs({-0.1, -0.1, -0.1});
  c.add(window(16), window(17, TrialOutcome::failed));
  EXPECT_FALSE(c.better());
  EXPECT_EQ(c.log_ratios.size(), 3u);
  Confirmation other = pairs({-0.1, -0.1, -0.1});
  other.add(window(16, TrialOutcome::failed), window(16));
  EXPECT_TRUE(other.better()) << "that the start fails is no fault of the best";
  other.add(window(16), window(15, TrialOutcome::ok, "high"));
  EXPECT_EQ(other.log_ratios.size(), 3u) << "windows of two levels are no pair";
}

TEST(Confirmation, AWindowInWhichBothMissTheObjectiveIsNobodysFault) {
  const auto missed = [](double y) {
    TurnResult result = window(y);
    result.row.feasible = false;
    return result;
  };
  Confirmation c = pairs({-0.1, -0.1, -0.1});
  c.add(missed(20), missed(19.9));
  EXPECT_TRUE(c.better());
  c.add(window(16), missed(15.9));
  EXPECT_FALSE(c.better()) << "the start kept it";
  EXPECT_EQ(c.lost, 1U);
}

TEST(Policy, HasTheMeanOfItsWindowsAndTheirInterval) {
  Known k;
  const PointId best = *k.tuner->recommend(k.history, 0);
  k.add(100, best, 0, 15.9);
  k.add(101, best, 0, 16.1);
  const records::Policy p = make_policy(k.history, 0, best, 0, nullptr, true);
  EXPECT_EQ(p.level, "low");
  EXPECT_EQ(p.config.text, R"({"a":1,"b":2})");
  EXPECT_EQ(p.trials, 3u);
  EXPECT_NEAR(p.y, 16, 1e-12);
  const double half = kT2TwoSided * 0.1 / std::sqrt(3.0);
  EXPECT_NEAR(*p.y_lo, 16 - half, 1e-9);
  EXPECT_NEAR(*p.y_hi, 16 + half, 1e-9);
  EXPECT_NEAR(static_cast<double>(*p.stat_ns), std::exp(16.0), 1);
  // The start is (0, 0): y = 16.18, one window each, so no interval of the gain.
  EXPECT_NEAR(*p.gain_over_start, 1 - std::exp(-0.18), 1e-9);
  EXPECT_FALSE(p.confirmed);
  EXPECT_EQ(p.changes, (std::vector<std::string>{"a", "b"}));
}

TEST(Policy, AConfirmationGivesTheGainAndItsInterval) {
  Known k;
  const PointId best = *k.tuner->recommend(k.history, 0);
  const Confirmation c = pairs({-0.3, -0.2, -0.4});
  const records::Policy p = make_policy(k.history, 0, best, 0, &c, true);
  const double half = kT2TwoSided * 0.1 / std::sqrt(3.0);
  EXPECT_NEAR(*p.gain_over_start, 1 - std::exp(-0.3), 1e-9);
  EXPECT_NEAR(*p.gain_lo, 1 - std::exp(-0.3 + half), 1e-9);
  EXPECT_NEAR(*p.gain_hi, 1 - std::exp(-0.3 - half), 1e-9);
  EXPECT_TRUE(p.confirmed);
}

TEST(Policy, TheStartIsConfirmedByTwoWindows) {
  Known k;
  EXPECT_FALSE(make_policy(k.history, 0, 0, 0, nullptr, true).confirmed);
  k.add(100, 0, 0, 16.2);
  const records::Policy p = make_policy(k.history, 0, 0, 0, nullptr, true);
  EXPECT_TRUE(p.confirmed);
  EXPECT_TRUE(p.changes->empty());
  EXPECT_FALSE(p.gain_over_start) << "over itself";
}

// --- baselines

records::Trial baseline(double y, double y_var = 0.0001, const char* level = "low") {
  records::Trial trial;
  trial.level = level;
  trial.outcome = "ok";
  trial.y = y;
  trial.y_var = y_var;
  return trial;
}

TEST(Baselines, AreWantedWhenWindowsSpreadMoreThanTheySay) {
  Baselines quiet;  // variance 0.0001 seen, 0.0001 said
  for (const double y : {16.00, 16.01, 16.02}) quiet.add(baseline(y));
  quiet.decide({});
  EXPECT_EQ(quiet.every(), 0u);
  Baselines wavering;  // variance 0.0004 seen
  for (const double y : {16.00, 16.02, 16.04}) wavering.add(baseline(y));
  wavering.decide({});
  EXPECT_EQ(wavering.every(), Baselines::kEvery);
  EXPECT_NE(wavering.text().find("4.0 times"), std::string::npos) << wavering.text();
}

TEST(Baselines, WhatIsAskedForHolds) {
  Baselines b;
  EXPECT_TRUE(b.needs_more());
  b.decide(7);
  EXPECT_EQ(b.every(), 7u);
}

TEST(Baselines, TakeOffTheLastLessTheMedian) {
  Baselines b;
  for (const double y : {16.0, 16.0, 16.0, 16.2}) b.add(baseline(y));
  b.decide(4);
  records::Trial trial = baseline(17);
  Observation row;
  row.y = 17;
  b.correct(trial, row);
  EXPECT_NEAR(row.y, 16.8, 1e-12);
  EXPECT_NEAR(*trial.y, 16.8, 1e-12);
  EXPECT_NEAR(*trial.baseline_ratio, std::exp(0.2), 1e-12);
  records::Trial other = baseline(17, 0.0001, "high");
  b.correct(other, row);
  EXPECT_NEAR(*other.y, 17, 1e-12) << "nothing is known of that level";
}

TEST(Baselines, AVoidWindowCountsAsTriedAndNoMore) {
  Baselines b;
  records::Trial nothing;
  nothing.outcome = "void";
  for (int k = 0; k < 3; ++k) b.add(nothing);
  EXPECT_FALSE(b.needs_more());
  b.decide({});
  EXPECT_EQ(b.every(), 0u);
}

}  // namespace
}  // namespace mlq::tune
