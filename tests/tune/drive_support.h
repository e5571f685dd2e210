// An endpoint whose answers are known, for tests of what drives one: its configuration lies in a file, so
// that it outlives the process that set it, and its latency is a function of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/tune/drive/emitter.h"
#include "lib/tune/drive/endpoint.h"
#include "lib/tune/drive/live.h"
#include "lib/tune/drive/search.h"
#include "lib/tune/drive/settled.h"
#include "tests/support/temp_dir.h"

namespace mlq::tune {

// Goes on by itself: a window takes as long as it says, an apply 10 ms, and each look at it `look_ns`, so
// that those who wait for a time to come see it come.
class FakeClock final : public Clock {
 public:
  int64_t now_ns() const override { return now_ += look_ns; }
  void go(int64_t ns) const { now_ += ns; }
  int64_t look_ns = 0;

 private:
  mutable int64_t now_ = 1'000'000'000;
};

// What may happen at a step of the loop: "read", "apply", "applied", "measure", "measured".
using Hook = std::function<void(const std::string& step)>;

using test::slurp;

struct FakeServer {
  std::string file;  // the configuration that is set, as JSON
  std::function<std::string()> in_force = [this] {
    return slurp(file);
  };  // it, as it can be seen from outside
  // Faults, by configuration.
  std::function<ApplyResult(const Config&)> answer = [](const Config&) { return ApplyResult::applied; };
  std::function<double(const Config&)> latency_s;
  std::function<void(const Config&, Window&)> spoil = [](const Config&, Window&) {};  // a measured window
  double noise = 0;
  Hook hook = [](const std::string&) {};
  const FakeClock* clock = nullptr;
  uint64_t applies = 0, windows = 0, reverts = 0;
  bool readable = true;
  bool verifiable = true;
  bool down = false;  // out of reach
};

class FakeActuator final : public Actuator {
 public:
  explicit FakeActuator(FakeServer& server) : server_(server) {}
  std::optional<Config> read(const StopFlag& /*stop*/) override {
    server_.hook("read");
    if (server_.down) throw environment_error("fake: nobody answers");
    if (!server_.readable) return std::nullopt;
    const std::string text = slurp(server_.file);
    if (text.empty()) return std::nullopt;
    return parse_config(text, "server");
  }
  Applied apply(const Config& config, const StopFlag& stop, bool ignore_stop) override {
    Applied out;
    ++server_.applies;
    if (ignore_stop) ++server_.reverts;
    server_.hook("apply");
    server_.clock->go(10'000'000);
    out.apply_ns = 10'000'000;
    out.verified = "readback";
    if (stop && !ignore_stop) {
      out.result = ApplyResult::broken;
      return out;
    }
    out.result = server_.answer(config);
    out.note = out.result == ApplyResult::applied ? "" : "it said so";
    if (out.result == ApplyResult::applied || out.result == ApplyResult::broken)
      std::ofstream(server_.file) << config_json(config);
    server_.hook("applied");
    return out;
  }
  std::vector<std::string> describe(const Config& config) const override {
    return {"SET " + config_json(config)};
  }
  bool can_verify() const override { return server_.verifiable; }

 private:
  FakeServer& server_;
};

class FakeSource final : public WindowSource {
 public:
  explicit FakeSource(FakeServer& server) : server_(server) {}
  Window measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) override {
    server_.hook("measure");
    const Config config = parse_config(server_.in_force(), "server");
    Window window;
    window.window_ns = plan.length_ns.value_or(1'000'000'000);
    server_.clock->go(window.window_ns);
    const double z = Draws(7, Purpose::surface_noise, server_.windows++).normal();
    const double latency = server_.latency_s(config) * fmath::exp(server_.noise * z);
    window.requests = window.ok = 100;
    window.latency_mean_ns = static_cast<int64_t>(latency * 1e9);
    window.latency_p50_ns = window.latency_p95_ns = window.latency_p99_ns = window.latency_mean_ns;
    window.rate_per_s = 100;
    window.done_per_s = 100;
    window.attain = 1;
    window.y_var = server_.noise * server_.noise;
    server_.spoil(config, window);
    if (watch.look) {
      if (const auto word = watch.look(window)) {
        window.aborted = word;
        window.outcome = "aborted";
      }
    }
    if (stop) {
      window.aborted = "signal";
      window.outcome = "void";
    }
    server_.hook("measured");
    return window;
  }
  std::optional<Upcoming> upcoming(const WindowPlan& /*plan*/) override { return Upcoming{100, 1, ""}; }

 private:
  FakeServer& server_;
};

inline std::shared_ptr<const Space> square_space(int64_t most = 10) {
  std::vector<Axis> axes(2);
  for (size_t k = 0; k < 2; ++k) {
    axes[k].name = k == 0 ? "a" : "b";
    axes[k].type = KnobType::integer;
    for (int64_t v = 0; v <= most; ++v) axes[k].values.emplace_back(v);
  }
  return std::make_shared<Space>(axes, std::vector<DerivedKnob>{}, std::vector<Expression>{});
}

inline int64_t int_of(const Config& config, size_t k) { return std::get<int64_t>(config[k].second); }

// Everything that a search needs, around one FakeServer.
struct FakeWorld {
  test::TempDir folder{test::quick_folder()};
  FakeClock clock;
  FakeServer server;
  Endpoint endpoint;
  StopFlag stop;
  Objective objective = Objective::parse("latency", "mean(latency)<=1s");
  SearchOptions options;
  std::vector<std::string> notices;

  FakeWorld() {
    server.file = folder / "server.json";
    server.clock = &clock;
    // A bowl with its bottom at (7, 3).
    server.latency_s = [](const Config& c) {
      const double da = static_cast<double>(int_of(c, 0) - 7), db = static_cast<double>(int_of(c, 1) - 3);
      return 0.010 * (1 + 0.05 * (da * da + db * db));
    };
    endpoint.name = "fake";
    endpoint.space = square_space();
    endpoint.actuator = std::make_unique<FakeActuator>(server);
    endpoint.source = std::make_unique<FakeSource>(server);
    options.tuner.name = "random";
    options.budget = 12;
    options.turn.settle_ns = 0;
    set({0, 0});
  }

  void set(std::pair<int64_t, int64_t> at) const {
    std::ofstream(server.file) << "{\"a\":" << at.first << ",\"b\":" << at.second << "}";
  }
  std::string is_set() const { return server.in_force(); }
  std::string state() const { return folder / "tune.state"; }
  std::string out() const { return folder / "out.jsonl"; }
  std::string output = out();  // where records go

  std::unique_ptr<Journal> open_journal(const std::string& command = "search") {
    JournalOptions journal;
    journal.path = state();
    journal.command = command;
    journal.space_xxh3 = endpoint.space->xxh3();
    return std::make_unique<Journal>(journal, [this](const std::string& m) { notices.push_back(m); });
  }
  // What the clock's present time is on the calendar.
  int64_t unix_ns() const { return 1'700'000'000'000'000'000 + clock.now_ns(); }
  std::function<void(const std::string&)> notice() {
    return [this](const std::string& m) { notices.push_back(m); };
  }

  // What a program does around its work: the journal, the output, the records of begin and end. `work` gets
  // the journal and the emitter, and returns an outcome that says whether it was interrupted.
  template <class Work>
  auto as_program(const std::string& command, const Work& work) {
    const auto journal = open_journal(command);
    records::Writer writer(Output::open(output), true);
    writer.keep_interrupted();
    Emitter emitter(writer, journal.get());
    records::Run run;
    run.tool = "mlq-tune";
    if (command == "search") run.budget = options.budget;
    run.space_xxh3 = endpoint.space->xxh3();
    run.start_unix_ns = unix_ns();
    emitter.run(run);
    records::End end;
    try {
      const auto outcome = work(*journal, emitter);
      if (outcome.interrupted) end.interrupted = true;
      emitter.end(end);
      return outcome;
    } catch (...) {
      end.interrupted = true;
      emitter.end_broken(end);
      throw;
    }
  }

  SearchOutcome search() {
    return as_program("search", [this](const Journal& journal, Emitter& emitter) {
      const SearchMemory memory = recall(journal.before(), *endpoint.space, objective, "", "");
      return run_search(options, objective, endpoint, memory, journal.before().next_i, emitter, clock, stop,
                        notice(), [](uint64_t, uint64_t) {});
    });
  }

  LiveOptions live_options;
  LiveOutcome live(int minute_of_day = 12 * 60) {
    live_options.tuner.name = options.tuner.name;
    live_options.turn = options.turn;
    live_options.now_unix_ns = unix_ns();
    return as_program("live", [&](const Journal& journal, Emitter& emitter) {
      return run_live_once(live_options, objective, endpoint, journal.before(), journal.was_cut(), emitter,
                           clock, minute_of_day, stop, notice());
    });
  }

  // All of the journal, of all its runs.
  std::vector<records::Trial> trials() const {
    std::vector<records::Trial> out;
    for (const JournalRun& run : read_journal(state()).runs)
      out.insert(out.end(), run.trials.begin(), run.trials.end());
    return out;
  }
  std::vector<records::TuneEvent> events() const {
    std::vector<records::TuneEvent> out;
    for (const JournalRun& run : read_journal(state()).runs)
      out.insert(out.end(), run.events.begin(), run.events.end());
    return out;
  }
  bool happened(const std::string& event) const {
    const auto all = events();
    return std::ranges::any_of(all, [&](const records::TuneEvent& e) { return e.event == event; });
  }

  // What is set when the next apply has been made; empty until then. To be called before what may make it.
  std::shared_ptr<std::string> after_next_apply() {
    auto seen = std::make_shared<std::string>();
    server.hook = [this, seen](const std::string& step) {
      if (step == "applied" && seen->empty()) *seen = is_set();
    };
    return seen;
  }

  // Configurations in the order of their trials.
  std::vector<std::string> tried() const {
    std::vector<std::string> out;
    for (const JournalRun& run : read_journal(state()).runs)
      for (const records::Trial& trial : run.trials)
        if (trial.phase != "baseline" && trial.phase != "confirm" && trial.aborted != "signal")
          out.push_back(trial.config.text);
    return out;
  }
};

}  // namespace mlq::tune
