// Duets and single configurations on an endpoint whose latencies are known: the verdict against the truth,
// and what is set afterwards.
#include "lib/tune/drive/measure.h"

#include <cmath>

#include "lib/base/error.h"
#include "tests/tune/drive_support.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

// Two configurations: a = 0 takes 10 ms, a = 1 `ratio` times that.
struct DuetWorld : FakeWorld {
  double ratio = 1;
  DuetOptions duet_options;

  DuetWorld() {
    endpoint.space = std::make_shared<Space>(test::cube(1, 3));
    server.latency_s = [this](const Config& c) { return int_of(c, 0) == 1 ? 0.010 * ratio : 0.010; };
    duet_options.turn.settle_ns = 0;
    by_hand(2);
  }
  void by_hand(int64_t a) const { std::ofstream(server.file) << "{\"a\":" << a << "}"; }
  PointId point(int64_t a) const { return *endpoint.space->find(Config{{"a", KnobValue(a)}}); }
  DuetOutcome duet(int64_t a = 0, int64_t b = 1) {
    return as_program("measure", [&](const Journal&, Emitter& emitter) {
      return run_duet(duet_options, point(a), point(b), point(2), objective, endpoint, 0, emitter, clock,
                      stop, notice(), [](uint64_t, uint64_t) {});
    });
  }
  MeasureOutcome measure(int64_t a, uint64_t repeats) {
    return as_program("measure", [&](const Journal&, Emitter& emitter) {
      return run_measure(duet_options.turn, point(a), point(2), repeats, objective, endpoint, 0, emitter,
                         clock, stop, notice());
    });
  }
};
constexpr const char* kStart = R"({"a":2})";

TEST(Duet, SaysWhichIsBetterAndByHowMuch) {
  for (const auto& [ratio, verdict] :
       {std::pair{0.8, "better"}, std::pair{1.25, "worse"}, std::pair{1.001, "same"}}) {
    DuetWorld w;
    w.ratio = ratio;
    w.server.noise = 0.003;
    const DuetOutcome outcome = w.duet();
    EXPECT_EQ(outcome.duet.verdict, verdict);
    EXPECT_LE(outcome.duet.log_ratio_lo, std::log(ratio));
    EXPECT_GE(outcome.duet.log_ratio_hi, std::log(ratio));
    EXPECT_EQ(outcome.duet.a, config_id(w.endpoint.space->config(w.point(0))));
    EXPECT_EQ(w.is_set(), kStart);
  }
}

TEST(Duet, WithTooMuchNoiseItIsUndecidedAfterAllPairs) {
  DuetWorld w;
  w.ratio = 1.01;
  w.server.noise = 0.3;
  const DuetOutcome outcome = w.duet();
  EXPECT_EQ(outcome.duet.verdict, "undecided");
  EXPECT_EQ(outcome.duet.pairs, w.duet_options.most_pairs);
}

TEST(Duet, WindowsGoABBA) {
  DuetWorld w;
  w.ratio = 0.5;
  std::string order;
  w.server.hook = [&](const std::string& step) {
    if (step == "measure") order += w.is_set() == R"({"a":0})" ? 'A' : 'B';
  };
  w.duet();
  EXPECT_EQ(order, "ABBAABBA");
}

TEST(Duet, AnEvenDriftFallsOut) {
  DuetWorld w;
  w.ratio = 1.1;
  // Every window takes 3% longer than the one before: B after A alone would seem 13% slower.
  w.server.latency_s = [&w](const Config& c) {
    return 0.010 * (int_of(c, 0) == 1 ? 1.1 : 1) * std::pow(1.03, static_cast<double>(w.server.windows));
  };
  w.duet_options.least_pairs = 8;
  w.duet_options.most_pairs = 8;
  EXPECT_NEAR(w.duet().duet.log_ratio, std::log(1.1), 1e-6);
}

// The error is spread over the looks: equal configurations seldom get a verdict that they differ.
TEST(Duet, FalseAlarmsAreRarerThanOneInTwenty) {
  int alarms = 0;
  for (uint64_t k = 0; k < 200; ++k) {
    DuetWorld w;
    w.server.noise = 0.1;
    w.server.windows = 100 * k;  // the key of its draws
    const std::string verdict = w.duet().duet.verdict;
    if (verdict == "worse" || verdict == "better") ++alarms;
  }
  // 10 are expected at most; 20 would be 3.2 standard deviations over that.
  EXPECT_LT(alarms, 20);
}

TEST(Duet, WhatDoesNotWorkIsTheWorse) {
  for (const int64_t broken : {0, 1}) {
    DuetWorld w;
    w.server.answer = [&](const Config& c) {
      return int_of(c, 0) == broken ? ApplyResult::refused : ApplyResult::applied;
    };
    const DuetOutcome outcome = w.duet();
    EXPECT_EQ(outcome.duet.verdict, broken == 1 ? "worse" : "better");
    EXPECT_EQ(outcome.duet.note, std::string(broken == 1 ? "B" : "A") + " did not work: it said so");
    EXPECT_EQ(w.is_set(), kStart);
  }
}

TEST(Duet, VoidWindowsAreMeasuredAgainAndThreeInARowEndIt) {
  DuetWorld w;
  w.ratio = 0.5;
  int windows = 0;
  w.server.spoil = [&](const Config&, Window& window) { window.valid = ++windows != 3; };
  EXPECT_EQ(w.duet().duet.verdict, "better");
  DuetWorld never;
  never.server.spoil = [](const Config&, Window& window) {
    window.valid = false;
    window.note = "the sender was late";
  };
  try {
    never.duet();
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::environment);
    EXPECT_NE(std::string(e.what()).find("the sender was late"), std::string::npos) << e.what();
  }
  EXPECT_EQ(never.is_set(), kStart);
}

TEST(Duet, ASignalEndsItWithTheStartSet) {
  DuetWorld w;
  int windows = 0;
  w.server.hook = [&](const std::string& step) {
    if (step == "measure" && ++windows == 3) w.stop.request(SIGINT);
  };
  const DuetOutcome outcome = w.duet();
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(outcome.duet.verdict, "undecided");
  EXPECT_EQ(w.is_set(), kStart);
}

// One pair has no interval: its bounds are infinite, and no record says so in numbers.
TEST(Duet, ARecordOfOnePairHasNoBounds) {
  DuetWorld w;
  w.ratio = 0.5;
  w.duet_options.most_pairs = 1;
  EXPECT_EQ(w.duet().duet.verdict, "undecided");
  const std::string out = slurp(w.out());
  const size_t at = out.find("\"type\":\"duet\"");
  ASSERT_NE(at, std::string::npos);
  EXPECT_NE(out.find("\"log_ratio_lo\":null", at), std::string::npos) << out.substr(at);
  EXPECT_NE(out.find("\"note\":", at), std::string::npos) << out.substr(at);
}

TEST(Measure, GivesItsWindowsAndWhetherTheObjectiveHeld) {
  DuetWorld w;
  w.ratio = 3;
  const MeasureOutcome good = w.measure(1, 3);
  ASSERT_EQ(good.windows.size(), 3u);
  EXPECT_TRUE(good.feasible);
  for (const records::Measurement& window : good.windows)
    EXPECT_NEAR(static_cast<double>(*window.latency_mean_ns), 30e6, 1);
  EXPECT_EQ(w.is_set(), kStart);
  w.objective = Objective::parse("latency", "mean(latency)<=20ms");
  EXPECT_FALSE(w.measure(1, 1).feasible);
  EXPECT_EQ(w.is_set(), kStart);
}

TEST(Measure, ARefusedConfigurationIsNotFeasibleAndTheStartIsBack) {
  DuetWorld w;
  w.server.answer = [](const Config& c) {
    return int_of(c, 0) == 1 ? ApplyResult::refused : ApplyResult::applied;
  };
  EXPECT_FALSE(w.measure(1, 1).feasible);
  EXPECT_EQ(w.is_set(), kStart);
}

}  // namespace
}  // namespace mlq::tune
