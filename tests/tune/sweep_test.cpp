// A surface measured on an endpoint whose latencies are known: every point, once, whatever happens between.
#include "lib/tune/drive/sweep.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <map>

#include "lib/base/error.h"
#include "lib/records/reader.h"
#include "lib/records/tune_schema.h"
#include "tests/tune/drive_support.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

struct SweepWorld : FakeWorld {
  SweepOptions sweep_options;
  std::vector<records::SurfaceRow> rows;  // of all sweeps

  SweepWorld() {
    endpoint.space = square_space(2);
    endpoint.levels = "single";
    sweep_options.turn.settle_ns = 0;
  }
  SweepOutcome sweep() {
    const SweepOutcome outcome = as_program("sweep", [&](const Journal& journal, Emitter& emitter) {
      return run_sweep(sweep_options, objective, endpoint, journal.before(), emitter, clock, stop, notice(),
                       [](uint64_t, uint64_t) {});
    });
    read_rows();
    return outcome;
  }
  void read_rows() {
    records::ReaderOptions reading;
    reading.allow_truncated = true;
    records::Reader reader(out(), reading);
    while (reader.next()) {
      if (reader.type() == "surface")
        rows.push_back(reader.as<records::SurfaceRow>());
      else
        reader.pass_over();
    }
    reader.finish();
  }
  std::map<std::string, int> times() const {
    std::map<std::string, int> out;
    for (const records::SurfaceRow& row : rows) ++out[row.config.text];
    return out;
  }
};
constexpr const char* kStart = R"({"a":0,"b":0})";

TEST(Sweep, HasEveryPointOnceWithItsLatencyAndItsRatioToTheStart) {
  SweepWorld w;
  const SweepOutcome outcome = w.sweep();
  EXPECT_EQ(outcome.rows, 9u);
  EXPECT_EQ(w.times().size(), 9u);
  for (const records::SurfaceRow& row : w.rows) {
    const double truth = w.server.latency_s(parse_config(row.config.text, "row"));
    EXPECT_NEAR(static_cast<double>(*row.latency_mean_ns), truth * 1e9, 1);
    EXPECT_NEAR(*row.baseline_ratio, truth / w.server.latency_s(parse_config(kStart, "start")), 1e-6);
    EXPECT_EQ(row.outcome, "ok");
  }
  EXPECT_EQ(w.is_set(), kStart);
}

TEST(Sweep, TheOrderIsRandomAndTheSeedsOwn) {
  SweepWorld one, same, other;
  other.sweep_options.seed = 2;
  const auto order = [](SweepWorld& w) {
    w.sweep();
    std::string out;
    for (const records::SurfaceRow& row : w.rows) out += row.config.text;
    return out;
  };
  const std::string first = order(one);
  EXPECT_EQ(order(same), first);
  EXPECT_NE(order(other), first);
}

TEST(Sweep, RepeatsAreWindowsOfTheirOwn) {
  SweepWorld w;
  w.sweep_options.repeats = 3;
  w.sweep_options.baseline = false;
  EXPECT_EQ(w.sweep().rows, 27u);
  for (const auto& [config, n] : w.times()) EXPECT_EQ(n, 3) << config;
}

TEST(Sweep, AnInterruptedSweepGoesOnWithWhatIsMissing) {
  for (const int stop_at : {1, 2, 5, 12}) {
    SweepWorld w;
    w.sweep_options.repeats = 2;
    int windows = 0;
    w.server.hook = [&](const std::string& step) {
      if (step == "measured" && ++windows == stop_at) w.stop.request(SIGINT);
    };
    EXPECT_TRUE(w.sweep().interrupted);
    EXPECT_EQ(w.is_set(), kStart) << stop_at;
    const size_t had = w.rows.size();
    w.stop.request(0);
    w.server.hook = [](const std::string&) {};
    const SweepOutcome rest = w.sweep();
    EXPECT_EQ(rest.skipped, had);
    EXPECT_EQ(rest.rows, 18 - had);
    EXPECT_EQ(w.times().size(), 9u);
    for (const auto& [config, n] : w.times()) EXPECT_EQ(n, 2) << config;
  }
}

TEST(Sweep, KilledAtAnyStepTheNextPutsBackWhatWasSetBeforeTheFirst) {
  SweepWorld whole;
  whole.endpoint.space = square_space(1);
  int steps = 0;
  whole.server.hook = [&](const std::string&) { ++steps; };
  whole.sweep();
  for (int kill_at = 1; kill_at <= steps; ++kill_at) {
    SweepWorld w;
    w.endpoint.space = square_space(1);
    const pid_t child = ::fork();
    if (child == 0) {
      int n = 0;
      w.server.hook = [&](const std::string&) {
        if (++n == kill_at) ::kill(::getpid(), SIGKILL);
      };
      w.sweep();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << kill_at;
    w.sweep();
    EXPECT_EQ(w.is_set(), kStart) << kill_at;
    std::map<std::string, int> done;
    for (const records::Trial& trial : w.trials()) ++done[trial.config.text];
    EXPECT_EQ(done.size(), 4u) << kill_at;
    for (const auto& [config, n] : done) EXPECT_EQ(n, 1) << config << " killed at " << kill_at;
  }
}

TEST(Sweep, ARefusedPointIsARowThatFailed) {
  SweepWorld w;
  w.server.answer = [](const Config& c) {
    return int_of(c, 0) == 2 ? ApplyResult::refused : ApplyResult::applied;
  };
  const SweepOutcome outcome = w.sweep();
  EXPECT_EQ(outcome.rows, 9u);
  EXPECT_EQ(outcome.failed, 3u);
  for (const records::SurfaceRow& row : w.rows)
    EXPECT_EQ(row.outcome, int_of(parse_config(row.config.text, "row"), 0) == 2 ? "failed" : "ok");
  EXPECT_EQ(w.is_set(), kStart);
}

TEST(Sweep, APointMeasuredUnderPressureIsMeasuredAgain) {
  SweepWorld w;
  int windows = 0;
  w.server.spoil = [&](const Config&, Window& window) { window.psi_cpu_share = ++windows == 4 ? 0.5 : 0.01; };
  w.sweep_options.baseline = false;
  EXPECT_EQ(w.sweep().rows, 9u);
  EXPECT_EQ(w.server.windows, 10u);
  for (const records::SurfaceRow& row : w.rows) EXPECT_EQ(row.outcome, "ok");
}

TEST(Sweep, APartIsSoManyPointsAndAGridTooLargeToListNeedsOne) {
  SweepWorld w;
  w.sweep_options.points = 4;
  EXPECT_EQ(w.sweep().rows, 4u);
  EXPECT_EQ(w.times().size(), 4u);
  SweepWorld large;
  large.endpoint.space = std::make_shared<Space>(test::cube(8, 10));
  large.endpoint.start = large.endpoint.space->config(0);
  large.server.latency_s = [](const Config&) { return 0.01; };
  try {
    large.sweep();
    FAIL() << "a hundred million points";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::input);
    EXPECT_NE(std::string(e.what()).find("--points"), std::string::npos) << e.what();
  }
  EXPECT_EQ(large.server.applies, 0u);
  large.sweep_options.points = 5;
  EXPECT_EQ(large.sweep().rows, 5u);
}

}  // namespace
}  // namespace mlq::tune
