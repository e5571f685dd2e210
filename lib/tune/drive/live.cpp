#include "lib/tune/drive/live.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/tune/drive/policy.h"
#include "lib/tune/drive/schedule.h"
#include "lib/tune/drive/settled.h"

namespace mlq::tune {
namespace {

constexpr int64_t kHour = 3'600'000'000'000;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kWorthSaying = 1'000'000'000;  // of a wait
// Reverts after which there is nothing to rest from.
constexpr std::string_view kNoBetter = "the candidate was not better";
constexpr std::string_view kInterrupted = "the run was interrupted";

// What the journal says about changes made before, in absolute time.
struct Changes {
  std::vector<int64_t> all;  // of any knob, reverts too
  std::vector<int64_t> restarts;
  std::optional<int64_t> reverted;  // the last revert because something went wrong
};

Changes changes_of(const JournalContents& journal) {
  Changes out;
  for (const JournalRun& run : journal.runs) {
    const int64_t origin = run.run.start_unix_ns.value_or(0);
    for (const records::Decision& decision : run.decisions)
      if (!decision.dry_run.value_or(false)) out.all.push_back(origin + decision.t_ns);
    for (const records::Trial& trial : run.trials)
      if (trial.apply_class == "restart") out.restarts.push_back(origin + trial.t_ns);
    for (const records::TuneEvent& event : run.events) {
      if (event.event != "reverted") continue;
      out.all.push_back(origin + event.t_ns);
      // What a restart had set takes another to go back from.
      const auto changed = std::ranges::find_if(
          run.trials.rbegin(), run.trials.rend(),
          [&](const auto& trial) { return trial.apply_class && trial.i <= event.i.value_or(0); });
      if (changed != run.trials.rend() && changed->apply_class == "restart")
        out.restarts.push_back(origin + event.t_ns);
      if (event.reason != kNoBetter && event.reason != kInterrupted) out.reverted = origin + event.t_ns;
    }
  }
  return out;
}

size_t since(const std::vector<int64_t>& times, int64_t from) {
  return static_cast<size_t>(std::count_if(times.begin(), times.end(), [&](int64_t t) { return t >= from; }));
}

int parse_minute(std::string_view text, const std::string& hours) {
  int hour = 0, minute = 0, used = 0;
  if (std::sscanf(std::string(text).c_str(), "%2d:%2d%n", &hour, &minute, &used) != 2 ||
      static_cast<size_t>(used) != text.size() || hour < 0 || hour > 24 || minute < 0 || minute > 59 ||
      hour * 60 + minute > 24 * 60)
    throw input_error("safety.hours: \"{}\" must be as in 22:00-06:00", hours);
  return hour * 60 + minute;
}

class Live {
 public:
  Live(const LiveOptions& options, Objective& objective, Endpoint& endpoint, const JournalContents& before,
       Emitter& emitter, const Clock& clock, const StopFlag& stop,
       const std::function<void(const std::string&)>& notice)
      : options_(options),
        objective_(objective),
        endpoint_(endpoint),
        before_(before),
        space_(*endpoint.space),
        emitter_(emitter),
        clock_(clock),
        stop_(stop),
        notice_(notice),
        origin_ns_(clock.now_ns()),
        turn_(options.turn, objective, endpoint, emitter, clock, origin_ns_, stop, notice),
        history_(space_, 0),
        schedule_(endpoint.levels),
        changes_(changes_of(before)),
        next_i_(before.next_i) {
    turn_.set_watch(
        [this, guarded = abort_watch(objective, endpoint.safety.error_rate)](const TurnRequest& request) {
          // What is set anyhow is looked at whatever it does.
          return request.point == incumbent_ ? WindowWatch{} : guarded(request);
        });
  }

  LiveOutcome run(bool was_cut, int minute_of_day) {
    if (!endpoint_.actuator->can_verify() && !options_.unverified) {
      throw input_error(
          "{}: what is set cannot be read back; write \"verify\":\"none\" in the endpoint file if it is to "
          "be changed "
          "live all the same",
          endpoint_.name);
    }
    find_incumbent(was_cut);
    if (outcome_.result == LiveResult::foreign) return done();
    if (const std::string why = idle_reason(minute_of_day); !why.empty()) return idle(why);
    learn_before();
    const TurnResult present = window(incumbent_, "live", "what is set, as it is");
    if (present.stopped) return stopped();
    if (present.foreign) return foreign();
    if (present.row.outcome == TrialOutcome::none)
      return idle(present.trial.note.value_or("the window says nothing"));
    if (endpoint_.safety.max_rate_per_s &&
        present.window.rate_per_s.value_or(0) > *endpoint_.safety.max_rate_per_s) {
      return idle(fmt::format("the load is {:.1f}/s, above max_rate_per_s", *present.window.rate_per_s));
    }
    Question question;
    question.i = next_i_;
    question.level = present.row.level;
    question.budget = ~uint64_t{0};
    choice_ = tuner_->ask(history_, question);
    const PointId candidate = within_steps(choice_.point);
    if (candidate == incumbent_) return idle(held_.empty() ? "what is set is the best that is known" : held_);
    return try_candidate(candidate, present);
  }

 private:
  LiveOutcome done() {
    outcome_.reverts = turn_.reverts();
    return outcome_;
  }
  LiveOutcome idle(const std::string& why) {
    outcome_.result = LiveResult::idle;
    outcome_.reason = why;
    return done();
  }
  // Whatever they have set is theirs: it is not put back, and is what the next run begins with.
  LiveOutcome foreign() {
    outcome_.result = LiveResult::foreign;
    if (turn_.current()) {
      outcome_.reason = "somebody else changed the endpoint; the next run begins with what they set";
      turn_.event("start", std::nullopt, turn_.current(), "set by somebody else");
    } else {
      outcome_.reason =
          "somebody else changed the endpoint to what is no point of the space; widen the space, or set the "
          "last good configuration again: mlq-tune rollback";
    }
    return done();
  }
  LiveOutcome stopped() {
    put_back(std::string(kInterrupted));
    outcome_.interrupted = true;
    outcome_.reason = "interrupted";
    return done();
  }
  void put_back(const std::string& reason) {
    if (turn_.current() == incumbent_) return;
    turn_.set_good(incumbent_);
    turn_.revert(next_i_, reason);
  }

  // The configuration that is to hold between runs, and whether it does.
  void find_incumbent(bool was_cut) {
    const std::optional<Config> good = last_good(before_);
    const std::optional<Config> live = endpoint_.actuator->read(stop_);
    incumbent_ = good ? space_.nearest(*good) : start_of(endpoint_, live, [](const std::string&) {});
    history_.set_start(incumbent_);
    if (was_cut && good)
      turn_.set_idle(*good);
    else if (live)
      turn_.set_idle(*live);
    turn_.set_good(incumbent_);
    incumbent_known_ = true;
    if (was_cut || unsettled(before_)) {
      std::string note;
      if (!turn_.set(next_i_, "", incumbent_,
                     "the last run was interrupted: back to the last good configuration", true, &note))
        throw environment_error("{}: the last good configuration cannot be put back: {}", endpoint_.name,
                                note);
      turn_.event("recovered", next_i_, incumbent_,
                  was_cut ? "the last run was killed" : "the last run could not put it back");
      return;
    }
    turn_.set_current(incumbent_);
    if (good && !turn_.unchanged(next_i_)) {
      foreign();
      return;
    }
    if (!good) turn_.event("start", std::nullopt, incumbent_, "what was set before");
  }

  std::string idle_reason(int minute_of_day) const {
    const SafetyRules& rules = endpoint_.safety;
    if (!within_hours(rules.hours, minute_of_day)) return fmt::format("outside the hours {}", rules.hours);
    if (!options_.freeze_file.empty() && ::access(options_.freeze_file.c_str(), F_OK) == 0)
      return fmt::format("{} is there: frozen", options_.freeze_file);
    const int64_t now = options_.now_unix_ns;
    if (changes_.reverted && now - *changes_.reverted < rules.rest_ns) return "resting after a revert";
    if (const size_t n = since(changes_.all, now - kHour); n + step_changes() > rules.max_changes_per_hour) {
      return fmt::format("{} were made in the last hour, and a step takes {}: more than {} an hour",
                         format_count(n, "change"), step_changes(), rules.max_changes_per_hour);
    }
    return "";
  }

  // Changes that one step may take: one a pair of windows, and one at its end.
  uint64_t step_changes() const {
    return std::min<uint64_t>(options_.confirm_pairs + 1, endpoint_.safety.max_changes);
  }

  void learn_before() {
    tuner_ = make_tuner(options_.tuner, space_);
    for (const JournalRun& run : before_.runs) {
      for (const records::Trial& trial : run.trials) {
        std::optional<Observation> row = observation_of(trial, space_, objective_);
        if (!row || trial.phase == "baseline") continue;
        Level level;
        level.name = trial.level;
        level.rate_per_s = trial.rate_per_s.value_or(0);
        row->level = history_.level(level);
        add(*row);
      }
    }
  }

  void add(const Observation& row) {
    history_.add(row);
    if (row.outcome == TrialOutcome::none) return;
    tuner_->tell(history_, history_.rows().back());
    if (!objective_.reference() && row.outcome == TrialOutcome::ok)
      objective_.set_reference({row.mean_ns, row.cpu_ns_per_request});
  }

  // One change at a time goes so far and no further.
  PointId within_steps(PointId wanted) {
    PointId out = wanted;
    const int64_t most = endpoint_.safety.max_step;
    const size_t today = since(changes_.restarts, options_.now_unix_ns - kDay);
    const bool may_restart = today + step_changes() <= endpoint_.safety.restarts_per_day;
    for (size_t axis = 0; axis < space_.dims(); ++axis) {
      const Axis& knob = space_.axes()[axis];
      if (knob.apply == ApplyClass::restart && !may_restart) {
        if (space_.step(out, axis) == space_.step(incumbent_, axis)) continue;
        out = space_.with_step(out, axis, space_.step(incumbent_, axis));
        held_ = fmt::format(
            "{} was not changed: {} were made today, and a step takes {}: more than "
            "restarts_per_day, {}",
            knob.name, format_count(today, "restart"), step_changes(), endpoint_.safety.restarts_per_day);
        continue;
      }
      if (!knob.ordered || knob.type == KnobType::boolean) continue;
      const int64_t from = space_.step(incumbent_, axis), to = space_.step(wanted, axis);
      out = space_.with_step(out, axis, static_cast<uint32_t>(from + std::clamp(to - from, -most, most)));
    }
    out = space_.canonical(out);
    return space_.valid(out) && !history_.barred(out) ? out : incumbent_;
  }

  TurnResult window(PointId point, const char* phase, const std::string& reason) {
    wait_dwell(point);
    TurnRequest request;
    request.i = next_i_;
    request.point = point;
    request.level = level_.name;
    request.phase = phase;
    request.tuner = options_.tuner.name;
    request.reason = reason;
    if (point != incumbent_) request.choice = choice_;
    if (incumbent_y_) request.incumbent_y = incumbent_y_;
    const bool change = turn_.current() != point;
    if (change && !turn_.unchanged(request.i)) {
      TurnResult theirs;
      theirs.foreign = true;
      return theirs;
    }
    TurnResult result = turn_.run(request);
    if (change) {
      ++changes_made_;
      changed_at_ = clock_.now_ns();
    }
    next_i_ = request.i + 1;
    ++outcome_.trials;
    level_ = schedule_.next(std::nullopt, result.window);
    result.trial.level = level_.name;
    result.row.level = history_.level(level_);
    result.row.confirm = std::string_view(phase) == "confirm";
    add(result.row);
    emitter_.write(result.trial);
    // An endpoint that says what is not so is no place for an experiment.
    if (result.lied)
      throw environment_error("{}: the configuration {} was not applied: {}", endpoint_.name,
                              result.trial.config.text, result.trial.note.value_or("no reason is known"));
    return result;
  }

  // The time between two changes; a stop ends the waiting.
  void wait_dwell(PointId point) {
    if (!changed_at_ || turn_.current() == point) return;
    const int64_t left = *changed_at_ + endpoint_.safety.dwell_ns - clock_.now_ns();
    if (left >= kWorthSaying)
      notice_(fmt::format("the next change comes in {}, as safety.dwell wants it", format_duration(left)));
    while (!stop_ && clock_.now_ns() - *changed_at_ < endpoint_.safety.dwell_ns) ::usleep(20'000);
  }

  bool may_change() const { return changes_made_ + 2 <= endpoint_.safety.max_changes; }

  // The guard's reasons to end a trial; empty if there is none.
  std::string guard_reason(const TurnResult& result) const {
    const records::Trial& trial = result.trial;
    const double failed =
        trial.requests > 0 ? static_cast<double>(trial.errors) / static_cast<double>(trial.requests) : 0;
    if (failed > endpoint_.safety.error_rate)
      return fmt::format("{:.3g}% of the requests failed", failed * 100);
    if (result.row.outcome == TrialOutcome::failed)
      return result.trial.note.value_or("the configuration failed");
    if (result.row.outcome == TrialOutcome::aborted) return result.trial.aborted.value_or("aborted");
    return "";
  }

  // A window of the step; what ends the step, if that does.
  std::optional<LiveOutcome> step_window(PointId point, uint64_t pair, TurnResult& out) {
    const bool incumbent = point == incumbent_;
    const std::string chosen = choice_.why.empty() ? "the tuner's choice" : choice_.why;
    out = window(point, pair == 0 ? "live" : "confirm",
                 incumbent   ? "the incumbent, beside the candidate"
                 : pair == 0 ? chosen
                             : "the candidate, beside the incumbent");
    if (out.stopped) return stopped();
    if (out.foreign) return foreign();
    if (incumbent) return std::nullopt;
    const std::string reason = guard_reason(out);
    if (reason.empty()) return std::nullopt;
    return reverted(reason);
  }

  LiveOutcome reverted(const std::string& reason) {
    put_back("guard: " + reason);
    outcome_.result = LiveResult::reverted;
    outcome_.reason = reason;
    return done();
  }

  // ABBA: half of the windows need no change, and what drifts evenly falls out.
  LiveOutcome try_candidate(PointId candidate, const TurnResult& present) {
    if (present.row.outcome == TrialOutcome::ok) incumbent_y_ = present.row.y;
    Confirmation confirmation;
    confirmation.level = present.row.level;
    confirmation.best = candidate;
    TurnResult before = present, after;
    for (uint64_t pair = 0; pair < options_.confirm_pairs; ++pair) {
      if (pair > 0 && !may_change()) break;
      if (pair % 2 == 1)
        if (auto end = step_window(candidate, pair, after)) return *end;
      if (pair > 0)
        if (auto end = step_window(incumbent_, pair, before)) return *end;
      if (pair % 2 == 0)
        if (auto end = step_window(candidate, pair, after)) return *end;
      confirmation.add(before, after);
      // What is plainly worse needs no more windows of it.
      if (pair == 0 && after.row.outcome == TrialOutcome::ok && incumbent_y_ &&
          after.row.y > *incumbent_y_ + 0.1)
        break;
    }
    return judge(candidate, confirmation);
  }

  LiveOutcome judge(PointId candidate, const Confirmation& confirmation) {
    double mean = 0;
    for (const double ratio : confirmation.log_ratios) mean += ratio;
    if (!confirmation.log_ratios.empty()) mean /= static_cast<double>(confirmation.log_ratios.size());
    const bool enough = confirmation.pairs >= options_.confirm_pairs;
    const bool gain = mean < -endpoint_.safety.gain || confirmation.rescued == confirmation.pairs;
    if (!enough || !gain || !confirmation.better()) {
      put_back(std::string(kNoBetter));
      outcome_.result = LiveResult::kept;
      outcome_.reason = kNoBetter;
      return done();
    }
    std::string note;
    if (turn_.current() != candidate) {
      wait_dwell(candidate);
      if (!turn_.set(next_i_, level_.name, candidate, "it was confirmed", false, &note))
        return stop_ ? stopped() : reverted(note);
    }
    records::Policy policy = make_policy(history_, *confirmation.level, candidate, incumbent_, &confirmation,
                                         objective_.is_latency());
    policy.confirmed = true;
    emitter_.write(policy);
    turn_.event("promoted", next_i_, candidate, "confirmed", config_id(space_.config(incumbent_)),
                config_id(space_.config(candidate)));
    outcome_.result = LiveResult::promoted;
    outcome_.reason = policy.config_id;
    return done();
  }

 public:
  // The incumbent back, if an error ended the run. Before it is known nothing has been set.
  void rescue() {
    if (incumbent_known_) put_back("the run ended with an error");
  }

 private:
  const LiveOptions& options_;
  Objective& objective_;
  Endpoint& endpoint_;
  const JournalContents& before_;
  const Space& space_;
  Emitter& emitter_;
  const Clock& clock_;
  const StopFlag& stop_;
  std::function<void(const std::string&)> notice_;
  const int64_t origin_ns_;
  Turn turn_;
  History history_;
  std::unique_ptr<Tuner> tuner_;
  LevelSchedule schedule_;
  Level level_;
  Changes changes_;
  Choice choice_;
  LiveOutcome outcome_;
  PointId incumbent_ = 0;
  bool incumbent_known_ = false;
  std::string held_;  // why a knob is left as it is
  std::optional<double> incumbent_y_;
  std::optional<int64_t> changed_at_;
  uint64_t changes_made_ = 0;
  uint64_t next_i_;
};

}  // namespace

bool within_hours(const std::string& hours, int minute_of_day) {
  if (hours.empty()) return true;
  const size_t dash = hours.find('-');
  if (dash == hours.npos) throw input_error("safety.hours: \"{}\" must be as in 22:00-06:00", hours);
  const int from = parse_minute(std::string_view(hours).substr(0, dash), hours);
  const int to = parse_minute(std::string_view(hours).substr(dash + 1), hours);
  if (from <= to) return minute_of_day >= from && minute_of_day < to;
  return minute_of_day >= from || minute_of_day < to;
}

LiveOutcome run_live_once(const LiveOptions& options, Objective& objective, Endpoint& endpoint,
                          const JournalContents& before, bool was_cut, Emitter& emitter, const Clock& clock,
                          int minute_of_day, const StopFlag& stop,
                          const std::function<void(const std::string&)>& notice) {
  Live live(options, objective, endpoint, before, emitter, clock, stop, notice);
  try {
    return live.run(was_cut, minute_of_day);
  } catch (...) {
    live.rescue();
    throw;
  }
}

}  // namespace mlq::tune
