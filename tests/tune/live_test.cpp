// One careful step on a live endpoint whose answers are known: what stays set, what is said, and when nothing
// is done at all.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "lib/base/error.h"
#include "tests/tune/drive_support.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kHour = 3600 * kSecond;
constexpr const char* kOld = R"({"a":0})";
constexpr const char* kNew = R"({"a":1})";

// One knob with two values, so that there is one candidate: its latency is `ratio` times that of what is set.
struct LiveWorld : FakeWorld {
  double ratio = 0.5;

  explicit LiveWorld(std::optional<ApplyClass> apply = {}) {
    Axis knob = test::counting_axis("a", 2);
    if (apply) knob.apply = *apply;
    endpoint.space =
        std::make_shared<Space>(std::vector{knob}, std::vector<DerivedKnob>{}, std::vector<Expression>{});
    endpoint.safety.dwell_ns = 0;
    server.latency_s = [this](const Config& c) { return int_of(c, 0) == 1 ? 0.010 * ratio : 0.010; };
    options.tuner.name = "grid";
    by_hand(0);
  }
  void by_hand(int64_t a) const { std::ofstream(server.file) << "{\"a\":" << a << "}"; }
  std::string why(const std::string& event) const {
    for (const records::TuneEvent& e : events())
      if (e.event == event) return e.reason.value_or("");
    return "there is no event " + event;
  }
};

TEST(Live, PromotesWhatWindowsInTurnConfirmAndSaysByHowMuch) {
  LiveWorld w;
  EXPECT_EQ(w.live().result, LiveResult::promoted);
  EXPECT_EQ(w.is_set(), kNew);
  std::string order;
  for (const records::Trial& trial : w.trials()) order += trial.config.text == kNew ? 'b' : 'a';
  EXPECT_EQ(order, "abbaab");
  const JournalRun run = read_journal(w.state()).runs.back();
  ASSERT_EQ(run.policies.size(), 1u);
  EXPECT_TRUE(run.policies[0].confirmed);
  EXPECT_NEAR(*run.policies[0].gain_over_start, 0.5, 1e-6);
  EXPECT_EQ(config_json(*last_good(read_journal(w.state()))), kNew);
}

TEST(Live, AnEvenNumberOfPairsEndsWithTheCandidateSet) {
  LiveWorld w;
  w.live_options.confirm_pairs = 4;
  EXPECT_EQ(w.live().result, LiveResult::promoted);
  EXPECT_EQ(w.is_set(), kNew);
  EXPECT_EQ(w.server.applies, 5u);
}

TEST(Live, WhatWasPromotedIsLeftAloneByTheNextRun) {
  LiveWorld w;
  w.live();
  w.clock.go(2 * kHour);
  EXPECT_EQ(w.live().result, LiveResult::idle);
  EXPECT_EQ(w.is_set(), kNew);
}

TEST(Live, WhatIsPlainlyWorseIsPutBackAfterOneWindow) {
  LiveWorld w;
  w.ratio = 1.2;
  EXPECT_EQ(w.live().result, LiveResult::kept);
  EXPECT_EQ(w.is_set(), kOld);
  EXPECT_EQ(w.trials().size(), 2u);
  EXPECT_EQ(config_json(*last_good(read_journal(w.state()))), kOld);
}

// A gain of less than safety.gain is not worth a change, nor is one that the noise may have made.
TEST(Live, WhatGainsTooLittleIsPutBack) {
  LiveWorld w;
  w.ratio = 0.975;
  EXPECT_EQ(w.live().result, LiveResult::kept);
  EXPECT_EQ(w.is_set(), kOld);
  EXPECT_EQ(w.trials().size(), 6u);
}

TEST(Live, WhatIsEqualIsSeldomPromoted) {
  int promoted = 0;
  for (uint64_t k = 0; k < 200; ++k) {
    LiveWorld w;
    w.ratio = 1;
    w.server.noise = 0.05;
    w.server.windows = 6 * k;  // the key of its draws
    if (w.live().result == LiveResult::promoted) ++promoted;
    EXPECT_EQ(w.is_set(), w.happened("promoted") ? kNew : kOld);
  }
  // One-sided 95%: 10 are expected at most; 20 would be 3.2 standard deviations over that.
  EXPECT_LT(promoted, 20);
}

TEST(Live, TheGuardEndsWhatHurtsAndPutsBack) {
  LiveWorld w;
  w.server.spoil = [](const Config& c, Window& window) {
    if (int_of(c, 0) == 1) window.errors = 50, window.ok = 50;
  };
  const LiveOutcome outcome = w.live();
  EXPECT_EQ(outcome.result, LiveResult::reverted);
  EXPECT_NE(outcome.reason.find("50%"), std::string::npos) << outcome.reason;
  EXPECT_EQ(w.is_set(), kOld);
  EXPECT_EQ(w.trials().back().aborted, "guard");
  EXPECT_TRUE(w.why("reverted").starts_with("guard: ")) << w.why("reverted");
}

TEST(Live, RestsAfterARevertWhateverMadeIt) {
  for (const bool refused : {false, true}) {
    LiveWorld w;
    if (refused) {
      w.server.answer = [](const Config& c) {
        return int_of(c, 0) == 1 ? ApplyResult::refused : ApplyResult::applied;
      };
    } else {
      w.server.spoil = [](const Config& c, Window& window) {
        if (int_of(c, 0) == 1) window.errors = 50, window.ok = 50;
      };
    }
    EXPECT_EQ(w.live().result, LiveResult::reverted);
    EXPECT_EQ(w.is_set(), kOld);
    w.clock.go(w.endpoint.safety.rest_ns / 2);
    const uint64_t applies = w.server.applies;
    const LiveOutcome rests = w.live();
    EXPECT_EQ(rests.result, LiveResult::idle);
    EXPECT_EQ(rests.reason, "resting after a revert");
    EXPECT_EQ(w.server.applies, applies);
    w.clock.go(w.endpoint.safety.rest_ns);
    EXPECT_NE(w.live().reason, "resting after a revert");
  }
}

TEST(Live, ACandidateThatIsMerelyNoBetterIsNoReasonToRest) {
  LiveWorld w;
  w.ratio = 1.2;
  w.live();
  EXPECT_NE(w.live().reason, "resting after a revert");
}

TEST(Live, SomebodyElsesChangeStopsItAndIsTheStartOfTheNext) {
  LiveWorld w;
  w.ratio = 1.2;
  w.live();
  w.by_hand(1);
  const uint64_t applies = w.server.applies;
  EXPECT_EQ(w.live().result, LiveResult::foreign);
  EXPECT_EQ(w.is_set(), kNew);
  EXPECT_EQ(w.server.applies, applies);
  EXPECT_TRUE(w.happened("foreign_change"));
  EXPECT_NE(w.live().result, LiveResult::foreign);
}

TEST(Live, SomebodyElsesChangeInMidRunIsNotOverwritten) {
  // After the 1st window a change to the candidate is pending, after the 2nd one back to what was set.
  for (const int after : {1, 2}) {
    LiveWorld w;
    Axis knob = test::counting_axis("a", 3);
    w.endpoint.space =
        std::make_shared<Space>(std::vector{knob}, std::vector<DerivedKnob>{}, std::vector<Expression>{});
    int windows = 0;
    w.server.hook = [&](const std::string& step) {
      if (step == "measured" && ++windows == after) w.by_hand(2);
    };
    EXPECT_EQ(w.live().result, LiveResult::foreign) << after;
    EXPECT_EQ(w.is_set(), R"({"a":2})") << after;
    EXPECT_EQ(config_json(*last_good(read_journal(w.state()))), R"({"a":2})") << after;
  }
}

TEST(Live, AChangeToWhatIsNoPointOfTheSpaceSaysWhatToDo) {
  LiveWorld w;
  w.ratio = 1.2;
  w.live();
  w.by_hand(77);
  const LiveOutcome outcome = w.live();
  EXPECT_EQ(outcome.result, LiveResult::foreign);
  EXPECT_NE(outcome.reason.find("rollback"), std::string::npos) << outcome.reason;
  EXPECT_EQ(w.is_set(), R"({"a":77})");
}

TEST(Live, ALieEndsItAtOnceWithTheOldBack) {
  LiveWorld w;
  w.server.answer = [](const Config& c) {
    return int_of(c, 0) == 1 ? ApplyResult::not_applied : ApplyResult::applied;
  };
  try {
    w.live();
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::environment);
    EXPECT_NE(std::string(e.what()).find("not applied"), std::string::npos) << e.what();
  }
  EXPECT_EQ(w.is_set(), kOld);
  EXPECT_TRUE(w.happened("not_applied"));
  EXPECT_EQ(w.server.applies, 2u);
}

TEST(Live, ASignalPutsBackBeforeItEnds) {
  LiveWorld w;
  int windows = 0;
  w.server.hook = [&](const std::string& step) {
    if (step == "measure" && ++windows == 2) w.stop.request(SIGTERM);
  };
  EXPECT_TRUE(w.live().interrupted);
  EXPECT_EQ(w.is_set(), kOld);
}

// What keeps it from doing anything: nothing is set, and the reason is said.
struct Idle {
  const char* name;
  std::function<void(LiveWorld&)> arrange;
  const char* reason;
  int minute = 12 * 60;
};

class LiveIdle : public testing::TestWithParam<Idle> {};

TEST_P(LiveIdle, SetsNothing) {
  LiveWorld w(ApplyClass::restart);
  GetParam().arrange(w);
  const LiveOutcome outcome = w.live(GetParam().minute);
  EXPECT_EQ(outcome.result, LiveResult::idle);
  EXPECT_NE(outcome.reason.find(GetParam().reason), std::string::npos) << outcome.reason;
  EXPECT_EQ(w.server.applies, 0u);
  EXPECT_EQ(w.is_set(), kOld);
}

std::string idle_name(const testing::TestParamInfo<Idle>& idle) { return idle.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Reasons, LiveIdle,
    testing::Values(
        Idle{"hours", [](LiveWorld& w) { w.endpoint.safety.hours = "22:00-06:00"; },
             "outside the hours 22:00-06:00"},
        Idle{"freeze", [](LiveWorld& w) { w.live_options.freeze_file = w.folder.file("freeze", ""); },
             "freeze is there"},
        Idle{"rate", [](LiveWorld& w) { w.endpoint.safety.max_rate_per_s = 99; },
             "the load is 100.0/s, above max_rate_per_s"},
        Idle{"changes", [](LiveWorld& w) { w.endpoint.safety.max_changes_per_hour = 3; },
             "were made in the last hour"},
        Idle{"restarts", [](LiveWorld& w) { w.endpoint.safety.restarts_per_day = 3; }, "restarts_per_day"},
        Idle{"void",
             [](LiveWorld& w) {
               w.server.spoil = [](const Config&, Window& window) {
                 window.valid = false;
                 window.note = "the counters began anew";
               };
             },
             "the counters began anew"}),
    idle_name);

TEST(Live, WithinItsHoursItGoesToWork) {
  LiveWorld w;
  w.endpoint.safety.hours = "22:00-06:00";
  EXPECT_EQ(w.live(23 * 60).result, LiveResult::promoted);
}

// Three steps of 4 changes each are all that 12 an hour allow; what is put back counts.
TEST(Live, ChangesOfAnHourAreCountedOverRuns) {
  LiveWorld w;
  w.ratio = 0.99;
  for (int run = 0; run < 5; ++run) {
    w.live();
    w.clock.go(60 * kSecond);
  }
  EXPECT_EQ(w.server.applies, 12u);
  const LiveOutcome last = w.live();
  EXPECT_NE(last.reason.find("in the last hour"), std::string::npos) << last.reason;
}

TEST(Live, RestartsOfADayAreCountedOverRuns) {
  LiveWorld w(ApplyClass::restart);
  w.ratio = 0.99;
  w.endpoint.safety.restarts_per_day = 8;
  for (int run = 0; run < 4; ++run) {
    w.live();
    w.clock.go(2 * kHour);
  }
  EXPECT_EQ(w.server.applies, 8u);
  w.clock.go(24 * kHour);
  const uint64_t before = w.server.applies;
  w.by_hand(0);
  w.live();
  EXPECT_GT(w.server.applies, before) << "a day later it may again";
}

TEST(Live, ChangesOfARunAreCounted) {
  LiveWorld w;
  w.endpoint.safety.max_changes = 4;
  w.live_options.confirm_pairs = 6;
  EXPECT_EQ(w.live().result, LiveResult::kept);
  EXPECT_LE(w.server.applies, 4u);
  EXPECT_EQ(w.is_set(), kOld);
}

TEST(Live, KnobsMoveNoFurtherThanMaxStep) {
  FakeWorld w;
  w.endpoint.safety.dwell_ns = 0;
  w.options.tuner.name = "random";
  w.set({4, 4});
  w.live();
  for (const records::Trial& trial : w.trials()) {
    const Config c = parse_config(trial.config.text, "trial");
    EXPECT_LE(std::abs(int_of(c, 0) - 4), 2);
    EXPECT_LE(std::abs(int_of(c, 1) - 4), 2);
  }
  EXPECT_GT(w.trials().size(), 1u);
}

TEST(Live, ChangesAreAtLeastTheDwellApart) {
  LiveWorld w;
  w.endpoint.safety.dwell_ns = 600 * kSecond;
  w.clock.look_ns = 50 * kSecond;
  std::vector<int64_t> applied;
  w.server.hook = [&](const std::string& step) {
    if (step == "apply") applied.push_back(w.clock.now_ns());
  };
  EXPECT_EQ(w.live().result, LiveResult::promoted);
  ASSERT_EQ(applied.size(), 3u);
  for (size_t k = 1; k < applied.size(); ++k)
    EXPECT_GE(applied[k] - applied[k - 1], w.endpoint.safety.dwell_ns);
  const auto told = [](const std::string& notice) {
    return notice.starts_with("the next change comes in ") && notice.ends_with(", as safety.dwell wants it");
  };
  EXPECT_EQ(std::count_if(w.notices.begin(), w.notices.end(), told), 2);
}

TEST(Live, WhatCannotBeReadBackIsRefusedUnlessTheFileSaysNone) {
  LiveWorld w;
  w.server.verifiable = false;
  try {
    w.live();
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::input);
    EXPECT_NE(std::string(e.what()).find("\"verify\":\"none\""), std::string::npos) << e.what();
  }
  EXPECT_EQ(w.server.applies, 0u) << "a refusal sets nothing";
  w.live_options.unverified = true;
  EXPECT_EQ(w.live().result, LiveResult::promoted);
}

TEST(Live, AnEndpointThatIsDownAtTheStartIsNotTouched) {
  LiveWorld w;
  w.by_hand(1);
  w.server.down = true;
  EXPECT_THROW(w.live(), Error);
  EXPECT_EQ(w.server.applies, 0u);
  EXPECT_EQ(w.is_set(), kNew);
}

TEST(Live, WhatCouldNotBePutBackIsPutBackByTheNextRun) {
  LiveWorld w;
  w.server.spoil = [&](const Config& c, Window& window) {
    if (int_of(c, 0) != 1) return;
    window.errors = 50, window.ok = 50;
    w.server.answer = [](const Config&) { return ApplyResult::refused; };
  };
  EXPECT_THROW(w.live(), Error);
  EXPECT_EQ(w.is_set(), kNew);
  EXPECT_TRUE(w.happened("actuator_failed"));
  w.server.answer = [](const Config&) { return ApplyResult::applied; };
  w.server.spoil = [](const Config&, Window&) {};
  w.clock.go(kHour);
  std::string first;
  w.server.hook = [&](const std::string& step) {
    if (step == "measure" && first.empty()) first = w.is_set();
  };
  EXPECT_NE(w.live().result, LiveResult::foreign);
  EXPECT_EQ(first, kOld);
  EXPECT_TRUE(w.happened("recovered"));
}

// kill -9 at each of its steps: the next run begins by setting what was last confirmed.
TEST(Live, KilledAtAnyStepTheNextRunBeginsWithTheLastGood) {
  LiveWorld whole;
  int steps = 0;
  whole.server.hook = [&](const std::string&) { ++steps; };
  ASSERT_EQ(whole.live().result, LiveResult::promoted);
  for (int kill_at = 1; kill_at <= steps; ++kill_at) {
    LiveWorld w;
    const pid_t child = ::fork();
    if (child == 0) {
      int n = 0;
      w.server.hook = [&](const std::string&) {
        if (++n == kill_at) ::kill(::getpid(), SIGKILL);
      };
      w.live();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << kill_at;
    std::string first;
    w.server.hook = [&](const std::string& step) {
      if (step == "measure" && first.empty()) first = w.is_set();
    };
    w.clock.go(2 * kHour);
    w.live();
    EXPECT_EQ(first, kOld) << kill_at;
    EXPECT_TRUE(w.happened("recovered")) << kill_at;
    EXPECT_TRUE(read_journal(w.state()).runs.back().finished()) << kill_at;
    EXPECT_EQ(config_json(*last_good(read_journal(w.state()))), w.is_set()) << kill_at;
  }
}

TEST(Live, AfterASearchItTakesWhatTheSearchLeft) {
  for (const Leave leave : {Leave::best, Leave::last, Leave::start}) {
    FakeWorld w;
    w.options.leave = leave;
    w.options.budget = 20;
    w.endpoint.safety.dwell_ns = 0;
    w.search();
    EXPECT_EQ(config_json(*last_good(read_journal(w.state()))), w.is_set());
    w.clock.go(2 * kHour);
    EXPECT_NE(w.live().result, LiveResult::foreign);
  }
}

TEST(Live, LevelsAreNamedAsTheEndpointWants) {
  LiveWorld w;
  w.endpoint.levels = "single";
  w.live();
  for (const records::Trial& trial : w.trials()) EXPECT_EQ(trial.level, "single");
  LiveWorld by_rate;
  by_rate.live();
  // floor(2 log2(100)) = 13
  EXPECT_EQ(by_rate.trials().front().level, "r13c0");
}

TEST(LiveHours, HoldFromTheFirstToBeforeTheLastAndOverMidnight) {
  const auto at = [](int hour, int minute) { return hour * 60 + minute; };
  EXPECT_TRUE(within_hours("", at(3, 0)));
  EXPECT_TRUE(within_hours("08:00-18:30", at(8, 0)));
  EXPECT_TRUE(within_hours("08:00-18:30", at(18, 29)));
  EXPECT_FALSE(within_hours("08:00-18:30", at(18, 30)));
  EXPECT_FALSE(within_hours("08:00-18:30", at(7, 59)));
  EXPECT_TRUE(within_hours("22:00-06:00", at(23, 59)));
  EXPECT_TRUE(within_hours("22:00-06:00", at(0, 0)));
  EXPECT_FALSE(within_hours("22:00-06:00", at(6, 0)));
  EXPECT_FALSE(within_hours("22:00-06:00", at(12, 0)));
  EXPECT_TRUE(within_hours("00:00-24:00", at(23, 59)));
  for (const char* bad : {"22:00", "22-06", "22:00-06:00x", "25:00-06:00", "22:60-06:00", "-", "24:01-05:00"})
    EXPECT_THROW(within_hours(bad, 0), Error) << bad;
}

}  // namespace
}  // namespace mlq::tune
