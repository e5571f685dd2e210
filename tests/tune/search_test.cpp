// The turn of a search, on an endpoint whose answers are known: what is set, what is on disk, and when.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "lib/base/error.h"
#include "tests/tune/drive_support.h"

namespace mlq::tune {
namespace {

constexpr const char* kStart = R"({"a":0,"b":0})";

TEST(Search, LeavesTheBestThatItTriedAndConfirmsIt) {
  FakeWorld w;
  w.options.budget = 60;
  const SearchOutcome outcome = w.search();
  EXPECT_TRUE(outcome.feasible);
  EXPECT_EQ(outcome.trials, 60u);
  ASSERT_EQ(outcome.policies.size(), 1u);
  EXPECT_EQ(outcome.policies[0].config.text, w.is_set());
  EXPECT_TRUE(outcome.policies[0].confirmed);
  EXPECT_GT(*outcome.policies[0].gain_over_start, 0.5);
  EXPECT_TRUE(read_journal(w.state()).runs.back().finished());
}

TEST(Search, LeaveStartPutsTheStartBack) {
  FakeWorld w;
  w.options.leave = Leave::start;
  w.search();
  EXPECT_EQ(w.is_set(), kStart);
}

TEST(Search, NothingFeasibleRestoresTheStart) {
  FakeWorld w;
  w.objective = Objective::parse("latency", "mean(latency)<=1ms");
  const SearchOutcome outcome = w.search();
  EXPECT_FALSE(outcome.feasible);
  EXPECT_EQ(w.is_set(), kStart);
}

TEST(Search, ADecisionIsOnDiskBeforeEveryApply) {
  FakeWorld w;
  size_t applies = 0;
  w.server.hook = [&](const std::string& step) {
    if (step != "apply") return;
    ++applies;
    const JournalContents journal = read_journal(w.state());
    ASSERT_FALSE(journal.runs.empty());
    EXPECT_GE(journal.runs.back().decisions.size(), 1u);
    EXPECT_NE(journal.runs.back().unanswered(), nullptr);
  };
  w.search();
  EXPECT_GT(applies, 5u);
}

TEST(Search, ARefusedConfigurationIsAFailedTrialAndIsBarredTheSecondTime) {
  FakeWorld w;
  w.options.budget = 60;
  w.server.answer = [](const Config& c) {
    return int_of(c, 0) >= 5 ? ApplyResult::refused : ApplyResult::applied;
  };
  const SearchOutcome outcome = w.search();
  EXPECT_GT(outcome.failed, 5u);
  EXPECT_GT(outcome.reverts, 5u);
  EXPECT_TRUE(outcome.feasible);
  EXPECT_LT(int_of(parse_config(w.is_set(), ""), 0), 5);
}

// Why there is no latency is said once.
TEST(Search, ATrialWithoutAnAnswerSaysSoOnce) {
  FakeWorld w;
  w.options.budget = 3;
  w.server.spoil = [](const Config&, Window& window) {
    window.ok = 0;
    window.errors = window.requests;
    window.latency_mean_ns.reset();
    window.note = "no request was answered without an error";
  };
  w.search();
  ASSERT_FALSE(w.trials().empty());
  EXPECT_EQ(w.trials().front().outcome, "failed");
  EXPECT_EQ(w.trials().front().note, "no request was answered without an error");
}

TEST(Search, ThreeTrialsThatWereNotAppliedEndItWithTheStartSet) {
  FakeWorld w;
  w.server.answer = [](const Config& c) {
    return int_of(c, 0) == 0 && int_of(c, 1) == 0 ? ApplyResult::applied : ApplyResult::not_applied;
  };
  try {
    w.search();
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::environment);
    EXPECT_NE(std::string(e.what()).find("void"), std::string::npos) << e.what();
  }
  EXPECT_EQ(w.is_set(), kStart);
  EXPECT_TRUE(w.happened("not_applied"));
}

// A server may refuse the change to what it has.
TEST(Search, WhatIsReadBackNeedNotBePutBack) {
  FakeWorld w;
  w.server.answer = [&](const Config&) { return ApplyResult::refused; };
  w.search();
  EXPECT_EQ(w.is_set(), kStart);
  EXPECT_FALSE(w.happened("actuator_failed"));
}

TEST(Search, ASecondHandThatKeepsChangingTheEndpointEndsTheSearch) {
  FakeWorld w;
  w.server.hook = [&](const std::string& step) {
    if (step == "measured") w.set({2, static_cast<int64_t>(w.server.windows % 9)});
  };
  try {
    w.search();
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::environment);
    EXPECT_NE(std::string(e.what()).find("somebody else"), std::string::npos) << e.what();
  }
}

TEST(Search, AnEndpointThatCannotBePutBackIsSaidSo) {
  FakeWorld w;
  uint64_t n = 0;
  w.server.answer = [&](const Config&) {
    w.server.readable = ++n < 3;
    return w.server.readable ? ApplyResult::applied : ApplyResult::broken;
  };
  try {
    w.search();
    FAIL() << "it went on";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::environment);
    EXPECT_NE(std::string(e.what()).find("cannot be put back"), std::string::npos) << e.what();
  }
  EXPECT_TRUE(w.happened("actuator_failed"));
}

TEST(Search, ASignalRestoresTheStartAndIsOnDisk) {
  FakeWorld w;
  int windows = 0;
  w.server.hook = [&](const std::string& step) {
    if (step == "measure" && ++windows == 5) w.stop.request(SIGTERM);
  };
  const SearchOutcome outcome = w.search();
  EXPECT_TRUE(outcome.interrupted);
  EXPECT_EQ(w.is_set(), kStart);
  const JournalContents journal = read_journal(w.state());
  EXPECT_TRUE(journal.runs.back().end->interrupted.value_or(false));
}

TEST(Search, SomebodyElsesChangeIsTheNewStart) {
  FakeWorld w;
  w.options.leave = Leave::start;
  int windows = 0;
  w.server.hook = [&](const std::string& step) {
    if (step == "measured" && ++windows == 6) w.set({2, 2});
  };
  w.search();
  EXPECT_EQ(w.is_set(), R"({"a":2,"b":2})");
  EXPECT_TRUE(w.happened("foreign_change"));
}

TEST(Search, AnInterruptedSearchGoesOnAsIfItHadNotBeen) {
  FakeWorld whole;
  whole.options.budget = 15;
  whole.search();
  const std::vector<std::string> wanted = whole.tried();
  for (int stop_at = 1; stop_at < 15; stop_at += 3) {
    FakeWorld w;
    w.options.budget = 15;
    int windows = 0;
    w.server.hook = [&](const std::string& step) {
      if (step == "measured" && ++windows == stop_at + 3) w.stop.request(SIGINT);
    };
    w.search();
    w.server.hook = [](const std::string&) {};
    w.stop.request(0);
    w.search();
    EXPECT_EQ(w.tried(), wanted) << stop_at;
  }
}

// kill -9 at the n-th step of whatever kind: the next start finds the endpoint, puts the start back, and goes
// on with the very decisions of an unbroken search.
TEST(Search, KilledAtAnyStepItGoesOnWithTheSameDecisions) {
  FakeWorld whole;
  whole.options.budget = 4;
  whole.options.confirm_pairs = 1;
  int steps = 0;
  whole.server.hook = [&](const std::string&) { ++steps; };
  whole.search();
  const std::vector<std::string> wanted = whole.tried();
  ASSERT_GT(steps, 20);
  for (int kill_at = 1; kill_at <= steps; ++kill_at) {
    FakeWorld w;
    w.options.budget = 4;
    w.options.confirm_pairs = 1;
    const pid_t child = ::fork();
    if (child == 0) {
      int n = 0;
      w.server.hook = [&](const std::string&) {
        if (++n == kill_at) ::kill(::getpid(), SIGKILL);
      };
      w.search();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << kill_at;
    // The first thing that the next process does is to put the start back.
    const auto first = w.after_next_apply();
    w.search();
    EXPECT_EQ(*first, kStart) << kill_at;
    EXPECT_EQ(w.tried(), wanted) << kill_at;
    EXPECT_EQ(w.is_set(), whole.is_set()) << kill_at;
    EXPECT_TRUE(read_journal(w.state()).runs.back().finished()) << kill_at;
  }
}

// The machine is half as fast for a while: what is measured then is told as it would have been before. A
// baseline that was itself corrected would hide the second half of it.
TEST(Search, WhatTheMachineDoesIsTakenOffForAsLongAsItLasts) {
  FakeWorld w;
  w.options.baseline = 1;
  w.options.budget = 20;
  w.options.confirm_pairs = 0;
  const auto truth = w.server.latency_s;
  w.server.latency_s = [&w, truth](const Config& c) {
    const bool slow = w.server.windows > 20 && w.server.windows <= 34;
    return truth(c) * (slow ? 2 : 1);
  };
  w.search();
  size_t corrected = 0;
  for (const records::Trial& trial : w.trials()) {
    const double fast = truth(parse_config(trial.config.text, "trial"));
    const double raw = static_cast<double>(*trial.latency_mean_ns) * 1e-9;
    if (trial.phase == "baseline") {
      EXPECT_NEAR(*trial.y, fmath::log(raw * 1e9), 1e-6) << trial.i;
    } else if (raw > 1.5 * fast && trial.baseline_ratio && *trial.baseline_ratio > 1.5) {
      EXPECT_NEAR(*trial.y, fmath::log(fast * 1e9), 1e-6) << trial.i;
      ++corrected;
    }
  }
  EXPECT_GE(corrected, 5u);
}

// Baselines are of the search too: those before an interruption are not made again.
TEST(Search, BaselinesAreNotRepeatedAfterAnInterruption) {
  FakeWorld whole;
  whole.options.baseline = 2;
  whole.options.confirm_pairs = 0;
  whole.search();
  const auto baselines = [](const FakeWorld& w) {
    const auto all = w.trials();
    return std::ranges::count_if(
        all, [](const records::Trial& trial) { return trial.phase == "baseline" && trial.outcome == "ok"; });
  };
  for (int stop_at = 2; stop_at < 16; ++stop_at) {
    FakeWorld w;
    w.options = whole.options;
    int windows = 0;
    w.server.hook = [&](const std::string& step) {
      // Between two windows: the one before is whole.
      if (step == "measured" && ++windows == stop_at + 1) w.stop.request(SIGINT);
    };
    w.search();
    w.server.hook = [](const std::string&) {};
    w.stop.request(0);
    w.search();
    EXPECT_EQ(baselines(w), baselines(whole)) << stop_at;
    EXPECT_EQ(w.tried(), whole.tried()) << stop_at;
  }
}

TEST(Search, AfterALiveStepThatWasKilledItBeginsWithWhatThatWouldHavePutBack) {
  FakeWorld w;
  w.endpoint.safety.dwell_ns = 0;
  const pid_t child = ::fork();
  if (child == 0) {
    int windows = 0;
    w.server.hook = [&](const std::string& step) {
      if (step == "measure" && ++windows == 2) ::kill(::getpid(), SIGKILL);
    };
    w.live();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_NE(w.is_set(), kStart);
  w.options.leave = Leave::start;
  w.search();
  EXPECT_EQ(w.is_set(), kStart);
}

TEST(Search, ADryRunSetsNothing) {
  FakeWorld w;
  w.options.dry_run = true;
  records::Writer writer(Output::open(w.out()), true);
  Emitter emitter(writer, nullptr);
  run_search(
      w.options, w.objective, w.endpoint, SearchMemory{}, 0, emitter, w.clock, w.stop,
      [](const std::string&) {}, [](uint64_t, uint64_t) {});
  writer.end({});
  EXPECT_EQ(w.server.applies, 0u);
  EXPECT_NE(slurp(w.out()).find("\"dry_run\":true"), std::string::npos);
}

TEST(Search, WithoutAKnownStartNothingBegins) {
  FakeWorld w;
  w.server.readable = false;
  EXPECT_THROW(w.search(), Error);
  EXPECT_EQ(w.server.applies, 0u);
  w.endpoint.start = Config{{"a", KnobValue(int64_t{0})}, {"b", KnobValue(int64_t{0})}};
  EXPECT_NO_THROW(w.search());
}

}  // namespace
}  // namespace mlq::tune
