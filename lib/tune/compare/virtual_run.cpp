#include "lib/tune/compare/virtual_run.h"

#include <limits>
#include <map>
#include <utility>

#include "lib/base/error.h"

namespace mlq::tune {
namespace {

// A tuner and what it knows.
struct Lane {
  Lane(const Surface& surface, std::unique_ptr<Tuner> made)
      : history(surface.space(), surface.start()), tuner(std::move(made)) {
    for (const Level& level : surface.levels()) history.level(level);  // ids are those of the surface
  }
  History history;
  std::unique_ptr<Tuner> tuner;
};

class Search {
 public:
  Search(const Surface& surface, const VirtualOptions& options, const VirtualHooks& hooks)
      : surface_(surface), options_(options), hooks_(hooks), current_(surface.start()) {
    run_.recommended.resize(surface.levels().size());
  }

  VirtualRun run(const StopFlag& stop) {
    for (uint64_t i = 0; i < options_.trials && !stop; ++i) step(i);
    run_.interrupted = run_.points.size() < options_.trials;
    for (LevelId level = 0; level < run_.recommended.size(); ++level) recommend(level);
    return std::move(run_);
  }

 private:
  uint64_t phase_of(uint64_t i) const { return surface_.levels().size() == 1 ? 0 : i / options_.phase; }
  LevelId level_of_phase(uint64_t phase) const {
    return static_cast<LevelId>(phase % surface_.levels().size());
  }

  Lane& lane_of(uint64_t phase) {
    uint64_t key = 0;
    if (options_.memory == Memory::level) key = level_of_phase(phase);
    if (options_.memory == Memory::restart) key = phase;
    auto it = lanes_.find(key);
    if (it == lanes_.end())
      it = lanes_.emplace(key, std::make_unique<Lane>(surface_, hooks_.make(surface_.space()))).first;
    last_lane_[level_of_phase(phase)] = it->second.get();
    return *it->second;
  }

  Choice ask(Lane& lane, const Question& question, std::optional<int64_t>& decide_ns) {
    const int64_t before = options_.timing != nullptr ? options_.timing->now_ns() : 0;
    Choice choice = lane.tuner->ask(lane.history, question);
    if (options_.timing != nullptr) {
      decide_ns = options_.timing->now_ns() - before;
      run_.decide_ns.push_back(*decide_ns);
    }
    return choice;
  }

  void step(uint64_t i) {
    const uint64_t phase = phase_of(i);
    Lane& lane = lane_of(phase);
    VirtualTrial trial;
    trial.i = i;
    trial.level = level_of_phase(phase);
    trial.t_ns = run_.virtual_ns;
    if (phase != phase_) held_ = std::nullopt;
    phase_ = phase;
    Question question;
    // Its own trials: no tuner is told when the load will change.
    question.i = lane.history.rows().size();
    question.level = trial.level;
    question.budget = options_.trials;
    question.window_s = window_s_;
    if (held_) {
      trial.choice.point = *held_;
      trial.choice.confirm = true;
      trial.choice.why = "the tuner has finished";
    } else {
      trial.choice = ask(lane, question, trial.decide_ns);
      if (trial.choice.finished) held_ = trial.choice.point;
    }
    const PointId point = trial.choice.point;
    trial.apply_ns = surface_.apply_ns(current_, point);
    trial.apply_class = surface_.space().apply_class(current_, point);
    measure(lane, trial);
    current_ = point;
    learn(lane, trial);
    if (hooks_.trial) {
      trial.incumbent = lane.tuner->recommend(lane.history, trial.level);
      if (trial.incumbent)
        if (const PointSummary* known = lane.history.at(trial.level, *trial.incumbent))
          trial.incumbent_y = known->mean_y;
      hooks_.trial(trial);
    }
  }

  void measure(const Lane& lane, VirtualTrial& trial) {
    const PointId point = trial.choice.point;
    const PointSummary* known = lane.history.at(trial.level, point);
    // Keyed by the point and how often it was measured, so that two tuners that try the same see the same.
    const uint32_t visit = known == nullptr ? 0 : known->tries;
    const Draws draws(options_.seed, Purpose::surface_noise, point, (trial.level << 20) + visit);
    trial.window = surface_.sample(trial.level, point, draws);
    window_s_ = static_cast<double>(trial.window.window_ns) * 1e-9;
    if (trial.window.outcome == "ok") {
      trial.value = options_.objective.value(trial.window, std::nullopt,
                                             static_cast<double>(trial.apply_ns) * 1e-9, window_s_);
      if (!trial.value.cost)
        throw input_error("surface {}: {} cannot be judged: {}", surface_.name(),
                          config_json(surface_.space().config(point)), trial.value.note);
    }
    run_.virtual_ns += trial.apply_ns + trial.window.window_ns;
  }

  void learn(Lane& lane, const VirtualTrial& trial) {
    Observation row = observation(trial.i, trial.choice.point, trial.level, trial.window, trial.value);
    row.confirm = trial.choice.confirm;
    if (row.outcome == TrialOutcome::failed) ++run_.failed;
    lane.history.add(row);
    lane.tuner->tell(lane.history, lane.history.rows().back());
    run_.points.push_back(trial.choice.point);
    run_.levels.push_back(trial.level);
  }

  void recommend(LevelId level) {
    const auto it = last_lane_.find(level);
    if (it != last_lane_.end())
      run_.recommended[level] = it->second->tuner->recommend(it->second->history, level);
  }

  const Surface& surface_;
  const VirtualOptions& options_;
  const VirtualHooks& hooks_;
  std::map<uint64_t, std::unique_ptr<Lane>> lanes_;
  std::map<LevelId, Lane*> last_lane_;
  PointId current_;
  std::optional<PointId> held_;
  uint64_t phase_ = 0;
  double window_s_ = 0;
  VirtualRun run_;
};

}  // namespace

Observation observation(uint64_t i, PointId point, LevelId level, const records::WindowStats& window,
                        const Objective::Value& value) {
  Observation row;
  row.i = i;
  row.point = point;
  row.level = level;
  if (window.outcome != "ok") {
    row.outcome = TrialOutcome::failed;
    row.feasible = false;
    row.y = std::numeric_limits<double>::quiet_NaN();  // the history has the cap
    return row;
  }
  row.y = value.y;
  row.y_var = window.y_var.value_or(0);
  row.feasible = value.feasible;
  row.slack = value.slack;
  row.mean_ns = static_cast<double>(window.latency_mean_ns.value_or(0));
  row.p95_ns = static_cast<double>(window.latency_p95_ns.value_or(0));
  row.done_per_s = window.done_per_s.value_or(0);
  row.inflight = row.done_per_s * row.mean_ns * 1e-9;
  row.cpu_ns_per_request = static_cast<double>(window.cpu_ns_per_request.value_or(0));
  return row;
}

VirtualRun run_virtual(const Surface& surface, const VirtualOptions& options, const VirtualHooks& hooks,
                       const StopFlag& stop) {
  return Search(surface, options, hooks).run(stop);
}

}  // namespace mlq::tune
