// An endpoint whose answers are known, for tests of what drives one: its configuration lies in a file, so
// that it outlives the process that set it, and its latency is a function of it.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/tune/drive/emitter.h"
#include "lib/tune/drive/endpoint.h"
#include "lib/tune/drive/search.h"
#include "tests/support/temp_dir.h"

namespace mlq::tune {

// Goes on by itself: a window takes as long as it says, an apply 10 ms.
class FakeClock final : public Clock {
 public:
  int64_t now_ns() const override { return now_; }
  void go(int64_t ns) const { now_ += ns; }

 private:
  mutable int64_t now_ = 1'000'000'000;
};

// What may happen at a step of the loop: "read", "apply", "applied", "measure", "measured".
using Hook = std::function<void(const std::string& step)>;

using test::slurp;

struct FakeServer {
  std::string file;  // the configuration that is set, as JSON
  // Faults, by configuration.
  std::function<ApplyResult(const Config&)> answer = [](const Config&) { return ApplyResult::applied; };
  std::function<double(const Config&)> latency_s;
  double noise = 0;
  Hook hook = [](const std::string&) {};
  const FakeClock* clock = nullptr;
  uint64_t applies = 0, windows = 0, reverts = 0;
  bool readable = true;
};

class FakeActuator final : public Actuator {
 public:
  explicit FakeActuator(FakeServer& server) : server_(server) {}
  std::optional<Config> read(const StopFlag& /*stop*/) override {
    server_.hook("read");
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
  bool can_verify() const override { return true; }

 private:
  FakeServer& server_;
};

class FakeSource final : public WindowSource {
 public:
  explicit FakeSource(FakeServer& server) : server_(server) {}
  Window measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) override {
    server_.hook("measure");
    const Config config = parse_config(slurp(server_.file), "server");
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
  test::TempDir folder;
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
  std::string is_set() const { return slurp(server.file); }
  std::string state() const { return folder / "tune.state"; }
  std::string out() const { return folder / "out.jsonl"; }

  std::unique_ptr<Journal> open_journal() {
    JournalOptions journal;
    journal.path = state();
    journal.command = "search";
    journal.space_xxh3 = endpoint.space->xxh3();
    return std::make_unique<Journal>(journal, [this](const std::string& m) { notices.push_back(m); });
  }

  // A search as the program runs it, with a journal.
  SearchOutcome search() {
    const auto journal = open_journal();
    records::Writer writer(Output::open(out()), true);
    writer.keep_interrupted();
    Emitter emitter(writer, journal.get());
    records::Run run;
    run.tool = "mlq-tune";
    run.budget = options.budget;
    run.space_xxh3 = endpoint.space->xxh3();
    const SearchMemory memory = recall(journal->before(), *endpoint.space, objective, "", "");
    emitter.run(run);
    records::End end;
    try {
      const SearchOutcome outcome = run_search(
          options, objective, endpoint, memory, journal->before().next_i, emitter, clock, stop,
          [this](const std::string& m) { notices.push_back(m); }, [](uint64_t, uint64_t) {});
      if (outcome.interrupted) end.interrupted = true;
      emitter.end(end);
      return outcome;
    } catch (...) {
      end.interrupted = true;
      emitter.end_journal(end);
      throw;
    }
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
