#include "lib/tune/drive/turn.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/tune/measure/abort.h"

namespace mlq::tune {
namespace {

// What an aborted window is worse than the incumbent by, at least: the rule that ended it asks for as much.
constexpr double kHopeless = 0.3;

double in_flight(const records::WindowStats& window) {
  return window.done_per_s.value_or(0) * static_cast<double>(window.latency_mean_ns.value_or(0)) * 1e-9;
}

void copy_figures(const records::WindowStats& window, Observation& row) {
  row.y_var = window.y_var.value_or(0);
  row.mean_ns = static_cast<double>(window.latency_mean_ns.value_or(0));
  row.p95_ns = static_cast<double>(window.latency_p95_ns.value_or(0));
  row.done_per_s = window.done_per_s.value_or(0);
  row.inflight = in_flight(window);
  row.cpu_ns_per_request = static_cast<double>(window.cpu_ns_per_request.value_or(0));
}

const KnobValue* value_of(const Config& config, const std::string& name) {
  for (const auto& [knob, value] : config)
    if (knob == name) return &value;
  return nullptr;
}

}  // namespace

Turn::Turn(const TurnOptions& options, const Objective& objective, Endpoint& endpoint, Emitter& emitter,
           const Clock& clock, int64_t origin_ns, const StopFlag& stop,
           const std::function<void(const std::string&)>& notice)
    : options_(options),
      objective_(objective),
      endpoint_(endpoint),
      emitter_(emitter),
      clock_(clock),
      origin_ns_(origin_ns),
      stop_(stop),
      notice_(notice) {}

void Turn::event(const std::string& name, std::optional<uint64_t> i, std::optional<PointId> point,
                 const std::string& reason, const std::string& from, const std::string& to) {
  records::TuneEvent event;
  event.t_ns = t_ns();
  event.event = name;
  event.i = i;
  if (point) {
    const Config config = endpoint_.space->config(*point);
    event.config_id = config_id(config);
    event.config = records::RawJson{config_json(wanted(*point))};
  }
  if (!reason.empty()) event.reason = reason;
  if (!from.empty()) event.from = from;
  if (!to.empty()) event.to = to;
  emitter_.write(event);
}

Config Turn::wanted(PointId point) const { return endpoint_.space->config(point, idle_); }

Applied Turn::apply(PointId point, bool ignore_stop) {
  Applied applied = endpoint_.actuator->apply(wanted(point), stop_, ignore_stop);
  if (applied.result == ApplyResult::applied) {
    current_ = point;
    gen_ = applied.gen;
  } else {
    current_.reset();  // whatever is set now, it is not known
  }
  return applied;
}

void Turn::write_decision(const TurnRequest& request) {
  const Config config = endpoint_.space->config(request.point);
  records::Decision decision;
  decision.t_ns = t_ns();
  decision.i = request.i;
  decision.level = request.level;
  decision.config = records::RawJson{config_json(config)};
  decision.config_id = config_id(config);
  decision.from = current_ ? config_id(endpoint_.space->config(*current_)) : "";
  decision.reason = request.reason;
  emitter_.write(decision);
}

bool Turn::unchanged(uint64_t i) {
  if (!current_) return true;
  const std::optional<Config> read = endpoint_.actuator->read(stop_);
  if (!read) return true;
  const Space& space = *endpoint_.space;
  Config now = space.config(*current_);
  std::string other;
  for (size_t knob = 0; knob < now.size(); ++knob) {
    auto& [name, value] = now[knob];
    const KnobValue* seen = value_of(*read, name);
    // A knob without influence may be whatever it is.
    if (seen == nullptr || (knob < space.dims() && !space.active(*current_, knob)) ||
        same_value(*seen, value))
      continue;
    other += fmt::format("{}{} is {}, not {}", other.empty() ? "" : "; ", name, serve::knob_text(*seen),
                         serve::knob_text(value));
    value = *seen;
  }
  if (other.empty()) return true;
  const std::string from = config_id(space.config(*current_));
  const std::optional<PointId> point = space.find(now);
  event("foreign_change", i, point, other, from, config_id(now));
  notice_(fmt::format("somebody else changed the endpoint: {}", other));
  current_ = point;
  return false;
}

void Voids::add(const TurnResult& result, const std::string& name) {
  constexpr uint32_t most_of_endpoint = 3, most_of_machine = 10;
  if (result.row.outcome != TrialOutcome::none) {
    endpoint_ = machine_ = 0;
    return;
  }
  const bool endpoint = result.lied || result.foreign;
  const uint32_t count = endpoint ? ++endpoint_ : ++machine_;
  if (count < (endpoint ? most_of_endpoint : most_of_machine)) return;
  throw environment_error("{}: {} windows in a row were void; the last: {}", name, count,
                          result.trial.note.value_or("no reason is known"));
}

void Turn::note_death(uint64_t i) {
  const std::string death = endpoint_.actuator->death();
  if (!current_ || death.empty()) return;
  event("died", i, *current_, death);
  notice_(death + "; it is started anew");
  current_.reset();
}

bool Turn::set(uint64_t i, const std::string& level, PointId point, const std::string& reason,
               bool ignore_stop, std::string* note) {
  TurnRequest request;
  request.i = i;
  request.point = point;
  request.level = level;
  request.reason = reason;
  write_decision(request);
  const Applied applied = apply(point, ignore_stop);
  if (note != nullptr) *note = applied.note;
  if (applied.result != ApplyResult::applied) return false;
  good_ = point;
  return true;
}

bool Turn::holds(PointId point) {
  if (!endpoint_.actuator->can_verify()) return false;
  const std::optional<Config> read = endpoint_.actuator->read(StopFlag());
  return read && endpoint_.space->find(*read) == point;
}

void Turn::revert(uint64_t i, const std::string& reason) {
  constexpr int kTries = 5;
  Applied applied;
  for (int n = 0; n < kTries; ++n) {
    applied = apply(good_, true);
    // A server that refuses every change may well hold the configuration.
    if (applied.result == ApplyResult::applied || holds(good_)) {
      current_ = good_;
      ++reverts_;
      event("reverted", i, good_, reason);
      return;
    }
  }
  event("actuator_failed", i, good_, applied.note);
  throw environment_error("{}: {} cannot be put back: {}; set it by hand", endpoint_.name,
                          config_json(endpoint_.space->config(good_)), applied.note);
}

TurnResult Turn::run(const TurnRequest& request) {
  TurnResult result;
  const Config config = endpoint_.space->config(request.point);
  records::Trial& trial = result.trial;
  trial.i = request.i;
  trial.level = request.level;
  trial.phase = request.phase;
  trial.tuner = request.tuner;
  trial.config = records::RawJson{config_json(config)};
  trial.config_id = config_id(config);
  trial.decide_ns = options_.timing ? request.decide_ns : std::nullopt;
  if (request.choice) {
    const Choice& c = *request.choice;
    trial.pred_y = c.pred_y;
    trial.pred_sd = c.pred_sd;
    trial.acquisition = c.acquisition;
    trial.radius = c.radius;
    if (!c.estimator.empty()) trial.estimator = c.estimator;
    if (!c.set.empty()) trial.set = c.set;
    if (!c.why.empty()) trial.why = c.why;
  }
  result.row.i = request.i;
  result.row.point = request.point;

  if (endpoint_.source) endpoint_.source->quiesce(options_.quiesce_ns);
  Applied applied;
  note_death(request.i);
  if (current_ != request.point) {
    const PointId before = current_.value_or(good_);
    write_decision(request);
    applied = apply(request.point, false);
    trial.apply_class = std::string(apply_class_name(endpoint_.space->apply_class(before, request.point)));
    trial.apply_ns = applied.apply_ns;
    if (!applied.verified.empty()) trial.verified = applied.verified;
  } else {
    applied.gen = gen_;
  }
  result.stopped = static_cast<bool>(stop_);
  if (applied.result == ApplyResult::applied && !result.stopped) {
    measure(request, applied, result);
    trial.t_ns = t_ns();
    return result;
  }
  trial.t_ns = t_ns();
  trial.note = applied.note;
  result.row.y = std::numeric_limits<double>::quiet_NaN();
  result.row.outcome = TrialOutcome::none;
  switch (applied.result) {
    case ApplyResult::applied:
      trial.outcome = "void";
      trial.aborted = "signal";
      break;
    case ApplyResult::refused:
      trial.outcome = "failed";
      result.row.outcome = TrialOutcome::failed;
      revert(request.i, "the server refused the configuration");
      break;
    case ApplyResult::not_applied:
      trial.outcome = "void";
      result.lied = true;
      event("not_applied", request.i, request.point, applied.note);
      revert(request.i, "the configuration was not applied");
      break;
    case ApplyResult::foreign:
      trial.outcome = "void";
      result.foreign = true;
      current_ = request.point;  // what it is really is read before the next change
      static_cast<void>(unchanged(request.i));
      break;
    case ApplyResult::broken:
      if (result.stopped) {
        trial.outcome = "void";
        trial.aborted = "signal";
        break;
      }
      // If the last good configuration can be set, the fault lay in the new one.
      trial.outcome = "failed";
      result.row.outcome = TrialOutcome::failed;
      revert(request.i, "the endpoint failed with the configuration");
      break;
  }
  return result;
}

void Turn::measure(const TurnRequest& request, const Applied& applied, TurnResult& result) {
  WindowPlan plan = options_.window;
  plan.settle_ns = std::max(options_.settle_ns, endpoint_.settle_ns);
  if (const auto upcoming = endpoint_.source->upcoming(plan);
      upcoming && upcoming->rate_per_s > 0 && endpoint_.warmup_requests > 0) {
    const double seconds = static_cast<double>(endpoint_.warmup_requests) / upcoming->rate_per_s;
    plan.settle_ns = std::max(plan.settle_ns, static_cast<int64_t>(seconds * 1e9));
  }
  plan.gen = applied.gen;
  const WindowWatch watch = watch_ ? watch_(request) : WindowWatch{};
  result.window = endpoint_.source->measure(plan, watch, stop_);
  records::Trial& trial = result.trial;
  static_cast<records::WindowStats&>(trial) = result.window;
  trial.settle_ns = plan.settle_ns;
  trial.rate_per_s = result.window.rate_per_s;
  trial.cv2 = result.window.cv2;
  result.stopped = static_cast<bool>(stop_);
  judge(request, result);
  if (const std::string death = endpoint_.actuator->death(); !death.empty() && !result.stopped) {
    trial.note = death;
    trial.outcome = "failed";
    trial.feasible = false;
    result.row.outcome = TrialOutcome::failed;
    result.row.feasible = false;
    result.row.y = std::numeric_limits<double>::quiet_NaN();
  }
}

void Turn::judge(const TurnRequest& request, TurnResult& result) const {
  records::Trial& trial = result.trial;
  Observation& row = result.row;
  const Window& window = result.window;
  copy_figures(window, row);
  const auto say = [&](const std::string& note) {
    if (!note.empty()) trial.note = trial.note ? *trial.note + "; " + note : note;
  };
  if (result.stopped || window.aborted == "signal") {
    trial.outcome = "void";
    trial.aborted = "signal";
    row.outcome = TrialOutcome::none;
    return;
  }
  const double apply_s = static_cast<double>(trial.apply_ns.value_or(0)) * 1e-9;
  result.value =
      objective_.value(window, window.stat_ns, apply_s, static_cast<double>(window.window_ns) * 1e-9);
  const Objective::Value& value = result.value;
  row.slack = value.slack;
  row.feasible = trial.aborted ? false : value.feasible;
  trial.feasible = row.feasible;
  if (value.cost) {
    trial.cost = value.cost;
    trial.y = value.y;
  }
  // Where nothing was answered the window has said so.
  if (value.cost || window.ok > 0 || !trial.note) say(value.note);
  if (!window.valid || window.outcome == "void") {
    trial.outcome = "void";
    row.outcome = TrialOutcome::none;
  } else if (trial.aborted || (window.stat_is_bound && value.cost)) {
    // Of a window that ended early, or whose statistic lies among unanswered requests, a bound is known.
    trial.outcome = "aborted";
    row.feasible = false;
    trial.feasible = false;
    row.outcome = TrialOutcome::aborted;
    row.y = value.cost ? value.y : std::numeric_limits<double>::quiet_NaN();
    if (request.incumbent_y && !(row.y >= *request.incumbent_y + kHopeless))
      row.y = *request.incumbent_y + kHopeless;
    trial.y.reset();
    if (std::isfinite(row.y)) trial.y = row.y;
  } else if (!value.cost) {
    trial.outcome = "failed";
    row.outcome = TrialOutcome::failed;
    row.y = std::numeric_limits<double>::quiet_NaN();
  } else {
    trial.outcome = "ok";
    row.outcome = TrialOutcome::ok;
    row.y = value.y;
  }
}

Turn::WatchMaker abort_watch(const Objective& objective, std::optional<double> guard_error_rate) {
  return [&objective, guard_error_rate](const TurnRequest& request) {
    AbortRules rules;
    if (request.phase == "baseline" || request.phase == "confirm") {
      // What is compared with another window must be a whole one.
      rules.unstable = false;
    } else if (request.incumbent_y) {
      rules.hopeless_above = *request.incumbent_y + kHopeless;
    }
    rules.most_error_rate = guard_error_rate;
    auto watch = std::make_shared<AbortWatch>(rules, objective);
    return WindowWatch{[watch](const Window& so_far) { return watch->look(so_far); }};
  };
}

PointId start_of(const Endpoint& endpoint, const std::optional<Config>& live,
                 const std::function<void(const std::string&)>& notice) {
  const std::optional<Config> wanted = endpoint.start ? endpoint.start : live;
  if (!wanted) {
    throw input_error(
        "{}: what is set now cannot be read, and the space file gives no \"start\"; write one, so that it is "
        "known "
        "what to go back to",
        endpoint.name);
  }
  if (const auto exact = endpoint.space->find(*wanted)) return *exact;
  const PointId near = endpoint.space->nearest(*wanted);
  notice(fmt::format("the start configuration {} is no point of the space; the nearest, {}, stands for it",
                     config_json(*wanted), config_json(endpoint.space->config(near))));
  return near;
}

std::optional<Observation> observation_of(const records::Trial& trial, const Space& space,
                                          const Objective& objective) {
  Observation row;
  if (trial.outcome == "ok") {
    row.outcome = TrialOutcome::ok;
  } else if (trial.outcome == "aborted") {
    row.outcome = TrialOutcome::aborted;
  } else if (trial.outcome == "failed") {
    row.outcome = TrialOutcome::failed;
  } else {
    return std::nullopt;
  }
  const std::optional<PointId> point = space.find(parse_config(trial.config.text, "trial"));
  if (!point) return std::nullopt;
  row.i = trial.i;
  row.point = *point;
  row.y = trial.y.value_or(std::numeric_limits<double>::quiet_NaN());
  if (row.outcome == TrialOutcome::failed) row.y = std::numeric_limits<double>::quiet_NaN();
  row.feasible = trial.feasible.value_or(row.outcome == TrialOutcome::ok);
  row.confirm = trial.phase == "final" || trial.phase == "confirm";
  copy_figures(trial, row);
  if (row.outcome != TrialOutcome::failed)
    row.slack = objective.value(trial, objective.is_latency() ? trial.cost : std::nullopt).slack;
  return row;
}

}  // namespace mlq::tune
