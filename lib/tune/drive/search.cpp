#include "lib/tune/drive/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/error.h"
#include "lib/tune/drive/baseline.h"
#include "lib/tune/drive/policy.h"
#include "lib/tune/drive/schedule.h"
#include "lib/tune/drive/settled.h"

namespace mlq::tune {
namespace {

// What must be told of a stop of the search that is nobody's fault.
struct Stopped {};

class Search {
 public:
  Search(const SearchOptions& options, Objective& objective, Endpoint& endpoint, const SearchMemory& memory,
         uint64_t first_i, Emitter& emitter, const Clock& clock, const StopFlag& stop,
         const std::function<void(const std::string&)>& notice,
         const std::function<void(uint64_t, uint64_t)>& progress)
      : options_(options),
        objective_(objective),
        endpoint_(endpoint),
        memory_(memory),
        space_(*endpoint.space),
        emitter_(emitter),
        clock_(clock),
        origin_ns_(clock.now_ns()),
        stop_(stop),
        notice_(notice),
        progress_(progress),
        turn_(options.turn, objective, endpoint, emitter, clock, origin_ns_, stop, notice),
        history_(space_, 0),
        next_i_(first_i) {
    turn_.set_watch(abort_watch(objective));
    const uint64_t free = space_.free_dims();
    budget_ = options.budget > 0 ? options.budget : std::clamp<uint64_t>(20 * free, 30, 120);
  }

  SearchOutcome run() {
    begin();
    if (options_.dry_run) return dry();
    try {
      explore();
      choose();
      confirm();
    } catch (const Stopped&) {
      outcome_.interrupted = true;
    } catch (...) {
      restore("the search ended with an error");
      throw;
    }
    try {
      finish();
    } catch (...) {
      restore("the search ended with an error");
      throw;
    }
    return outcome_;
  }

 private:
  // The start configuration, on the endpoint and in the history; what was known before, told to the tuner.
  void begin() {
    const std::optional<Config> live = endpoint_.actuator->read(stop_);
    if (live) endpoint_can_be_read_ = true;
    turn_.set_idle(memory_.start ? *memory_.start : with_defaults(live.value_or(Config{})));
    start_ = memory_.start ? space_.nearest(*memory_.start) : start_of(endpoint_, live, notice_);
    history_.set_start(start_);
    turn_.set_good(start_);
    schedule_ = std::make_unique<LevelSchedule>(endpoint_.levels);
    tuner_ = make_tuner(options_.tuner, space_);
    if (memory_.was_cut || !memory_.done.empty()) {
      recover(live);
    } else if (live && space_.find(with_defaults(*live)) == start_) {
      turn_.set_current(start_);
    }
    if (memory_.done.empty() && !options_.dry_run) turn_.event("start", std::nullopt, start_, "");
    for (const auto& [level, row] : memory_.prior) {
      Observation known = row;
      known.level = history_.level(level);
      known.prior = true;
      learn(known);
    }
    for (const records::Trial& trial : memory_.done) replay(trial);
  }

  // Knobs that could not be read, at the start configuration's values where there is one.
  Config with_defaults(const Config& read) const {
    Config out = read;
    const Config fallback = memory_.start ? *memory_.start : endpoint_.start.value_or(Config{});
    for (const auto& [name, value] : fallback) {
      if (std::none_of(out.begin(), out.end(), [&](const auto& knob) { return knob.first == name; }))
        out.emplace_back(name, value);
    }
    return out;
  }

  void recover(const std::optional<Config>& live) {
    const std::string found = live ? config_id(space_.config(space_.nearest(with_defaults(*live)))) : "";
    std::string note;
    if (!turn_.set(next_i_, "", start_, "the last run was interrupted: back to the start configuration", true,
                   &note)) {
      throw environment_error("{}: the start configuration cannot be put back: {}", endpoint_.name, note);
    }
    turn_.event("recovered", memory_.unanswered ? std::optional(memory_.unanswered->i) : std::nullopt, start_,
                memory_.unanswered ? "a decision was not answered" : "the search goes on", found);
  }

  // A trial of this search before it was interrupted.
  void replay(const records::Trial& trial) {
    Level level;
    level.name = trial.level;
    level.rate_per_s = trial.rate_per_s.value_or(0);
    const LevelId id = history_.level(level);
    if (trial.phase == "confirm" || trial.aborted == "signal") return;
    if (trial.phase == "baseline") {
      if (!noise_.needs_more()) baseline_at_ = asked_;
      noise_.add(trial);
      return;
    }
    count(trial);
    if (auto row = observation_of(trial, space_, objective_)) {
      row->level = id;
      learn(*row);
    }
  }

  void learn(Observation row) {
    const bool told = row.outcome != TrialOutcome::none;
    history_.add(std::move(row));
    if (!told) return;
    tuner_->tell(history_, history_.rows().back());
    if (!objective_.reference() && history_.rows().back().outcome == TrialOutcome::ok &&
        !history_.rows().back().prior)
      objective_.set_reference({history_.rows().back().mean_ns, history_.rows().back().cpu_ns_per_request});
  }

  void count(const records::Trial& trial) {
    ++asked_;
    ++outcome_.trials;
    if (trial.outcome == "failed") ++outcome_.failed;
    if (trial.outcome == "void") ++outcome_.voids;
  }

  LevelId next_level() {
    const WindowPlan& plan = options_.turn.window;
    const Level level = schedule_->next(endpoint_.source->upcoming(plan), last_window_);
    const LevelId id = history_.level(level);
    if (!level_known_ || id != level_) {
      records::TuneLevel record;
      record.t_ns = turn_.t_ns();
      record.level = level.name;
      record.rate_per_s = level.rate_per_s;
      record.trials = history_.count(id);
      emitter_.write(record);
      level_known_ = true;
      level_ = id;
    }
    return id;
  }

  bool time_is_up() const { return options_.time_ns && clock_.now_ns() - origin_ns_ >= *options_.time_ns; }

  std::optional<double> incumbent_y(LevelId level) {
    const auto best = tuner_->recommend(history_, level);
    const PointSummary* summary = best ? history_.at(level, *best) : nullptr;
    if (summary == nullptr || summary->n == 0) return std::nullopt;
    return summary->mean_y;
  }

  // One window; what it was is on disk when this returns.
  TurnResult measure(const TurnRequest& request, LevelId level,
                     const std::function<void(TurnResult&)>& learnt) {
    if (options_.tuner.name != "" && endpoint_can_be_read_ && !turn_.unchanged(request.i)) {
      if (turn_.current()) {
        constexpr int kMost = 3;
        if (++foreign_changes_ == kMost)
          throw environment_error(
              "{}: somebody else changed it {} times; is another search, or a controller, at work?",
              endpoint_.name, kMost);
        // Somebody else's will is the new start: it is what the endpoint goes back to.
        start_ = *turn_.current();
        history_.set_start(start_);
        turn_.set_good(start_);
      }
    }
    TurnResult result = turn_.run(request);
    next_i_ = request.i + 1;
    last_window_ = result.window;
    result.row.level = level;
    // Not a baseline itself: it is what the others are corrected by.
    if (request.phase != "baseline" && result.trial.y && result.row.outcome == TrialOutcome::ok)
      noise_.correct(result.trial, result.row);
    learnt(result);
    if (outcome_.trouble.empty() && result.trial.outcome != "ok" && !result.stopped)
      outcome_.trouble =
          fmt::format("trial {} is {}: {}", request.i, result.trial.outcome,
                      result.trial.note.value_or(result.trial.aborted.value_or("no reason is known")));
    emitter_.write(result.trial);
    if (result.stopped) throw Stopped{};
    voids_.add(result, endpoint_.name);
    return result;
  }

  void explore() {
    while (asked_ < budget_ && !time_is_up()) {
      if (stop_) throw Stopped{};
      const LevelId level = next_level();
      baseline_if_due(level);
      Question question;
      question.i = asked_;
      question.level = level;
      question.budget = budget_;
      const int64_t before = clock_.now_ns();
      const Choice choice = choose_point(question);
      if (choice.finished) break;
      const int64_t decided = clock_.now_ns() - before;
      try_point(choice, level, decided);
      progress_(asked_, budget_);
    }
    if (asked_ >= budget_ || time_is_up()) turn_.event("budget", std::nullopt, std::nullopt, "spent");
  }

  Choice choose_point(const Question& question) {
    Choice choice = tuner_->ask(history_, question);
    if (!allowed(choice.point)) {
      // The knobs that may not move stay as they are at the start.
      choice.point = held(choice.point);
      choice.why += (choice.why.empty() ? "" : "; ") + std::string("knobs that need a restart are held");
    }
    return choice;
  }

  bool allowed(PointId point) const {
    if (!turn_.current() && !options_.hot_only) return true;
    const ApplyClass c = space_.apply_class(turn_.current().value_or(start_), point);
    if (options_.hot_only && space_.apply_class(start_, point) != ApplyClass::hot) return false;
    return !(c == ApplyClass::restart && options_.max_restarts && restarts_ >= *options_.max_restarts);
  }

  PointId held(PointId point) const {
    PointId out = point;
    const PointId base = turn_.current().value_or(start_);
    for (size_t axis = 0; axis < space_.dims(); ++axis) {
      const ApplyClass c = space_.axes()[axis].apply;
      if (options_.hot_only ? c != ApplyClass::hot : c == ApplyClass::restart)
        out = space_.with_step(out, axis, space_.step(base, axis));
    }
    out = space_.canonical(out);
    return space_.valid(out) ? out : base;
  }

  void try_point(const Choice& choice, LevelId level, int64_t decided) {
    TurnRequest request;
    request.i = next_i_;
    request.point = choice.point;
    request.level = history_.levels()[level].name;
    request.phase = choice.confirm ? "final" : choice.set == "init" ? "init" : "explore";
    request.tuner = options_.tuner.name;
    request.reason = choice.why.empty() ? "the tuner's choice" : choice.why;
    request.choice = choice;
    request.incumbent_y = incumbent_y(level);
    request.decide_ns = decided;
    if (turn_.current() && space_.apply_class(*turn_.current(), choice.point) == ApplyClass::restart)
      ++restarts_;
    for (int attempt = 0;; ++attempt) {
      const TurnResult result = measure(request, level, [&](TurnResult& r) {
        count(r.trial);
        learn(r.row);
        const auto best = tuner_->recommend(history_, level);
        const PointSummary* summary = best ? history_.at(level, *best) : nullptr;
        if (summary != nullptr) {
          r.trial.incumbent = config_id(space_.config(*best));
          r.trial.incumbent_y = summary->mean_y;
        }
      });
      if (history_.barred(choice.point)) turn_.event("barred", request.i, choice.point, "it failed twice");
      // A window that says nothing of the server is measured once more.
      if (result.row.outcome != TrialOutcome::none || result.foreign || attempt > 0) return;
      request.i = next_i_;
      request.reason = "once more: the window before was void";
    }
  }

  // Windows of one configuration, for how much the machine itself wavers.
  void baseline_if_due(LevelId level) {
    if (options_.baseline == 0u) return;
    if (!noise_.decided() && asked_ >= 1) {
      while (noise_.needs_more()) measure_baseline(start_, level);
      noise_.decide(options_.baseline);
      if (noise_.every() > 0) notice_(noise_.text());
    }
    if (noise_.every() > 0 && asked_ > 0 && asked_ % noise_.every() == 0 && baseline_at_ != asked_) {
      baseline_at_ = asked_;
      measure_baseline(start_, level);
    }
  }

  void measure_baseline(PointId point, LevelId level) {
    if (stop_) throw Stopped{};
    TurnRequest request;
    request.i = next_i_;
    request.point = point;
    request.level = history_.levels()[level].name;
    request.phase = "baseline";
    request.tuner = options_.tuner.name;
    request.reason = "how much the machine itself wavers";
    measure(request, level, [&](TurnResult& r) { noise_.add(r.trial); });
  }

  // Policies: one a level that was seen.
  void choose() {
    for (LevelId level = 0; level < history_.levels().size(); ++level) {
      const auto best = tuner_->recommend(history_, level);
      const PointSummary* summary = best ? history_.at(level, *best) : nullptr;
      if (summary == nullptr || summary->n == 0) continue;
      choices_.emplace_back(level, *best);
    }
  }

  // Start against best in alternating windows, at the level that the load is at.
  void confirm() {
    if (options_.confirm_pairs == 0 || choices_.empty()) return;
    const LevelId level = most_seen();
    const auto chosen = std::find_if(choices_.begin(), choices_.end(),
                                     [&](const auto& choice) { return choice.first == level; });
    if (chosen == choices_.end()) return;
    const PointId best = chosen->second;
    if (best == start_) return;
    if (const PointSummary* s = history_.at(level, best); s == nullptr || !s->feasible) return;
    confirmation_.level = level;
    confirmation_.best = best;
    // ABBA: what drifts evenly falls out.
    for (uint64_t pair = 0; pair < options_.confirm_pairs; ++pair) {
      const bool start_first = pair % 2 == 0;
      const TurnResult first = confirm_window(start_first ? start_ : best, level);
      const TurnResult second = confirm_window(start_first ? best : start_, level);
      const TurnResult& a = start_first ? first : second;
      const TurnResult& b = start_first ? second : first;
      confirmation_.add(a, b);
    }
  }

  TurnResult confirm_window(PointId point, LevelId level) {
    if (stop_) throw Stopped{};
    TurnRequest request;
    request.i = next_i_;
    request.point = point;
    request.level = history_.levels()[level].name;
    request.phase = "confirm";
    request.tuner = options_.tuner.name;
    request.reason =
        point == start_ ? "the start configuration, beside the best" : "the best, beside the start";
    return measure(request, level, [](TurnResult&) {});
  }

  LevelId most_seen() const {
    LevelId most = 0;
    for (LevelId level = 1; level < history_.levels().size(); ++level)
      if (history_.count(level) > history_.count(most)) most = level;
    return most;
  }

  void finish() {
    outcome_.reverts = turn_.reverts();
    if (outcome_.interrupted) {
      restore("the search was interrupted");
      outcome_.reverts = turn_.reverts();
      return;
    }
    std::optional<PointId> best;
    for (const auto& [level, point] : choices_) {
      const bool here = confirmation_.level == level && confirmation_.best == point;
      records::Policy policy = make_policy(history_, level, point, start_, here ? &confirmation_ : nullptr,
                                           objective_.is_latency());
      const PointSummary* summary = history_.at(level, point);
      if (summary->feasible && summary->n > 0) outcome_.feasible = true;
      if (level == most_seen() && summary->feasible && summary->n > 0) best = point;
      // What did not prove better is not kept, however lucky its windows were in the search.
      if (here && !confirmation_.better() && best == point) {
        std::string ratio = "their windows say too little; --confirm asks for more";
        if (confirmation_.lost > 0)
          ratio = fmt::format("it failed, or missed the objective that the start kept, in {} of {} pairs",
                              confirmation_.lost, confirmation_.pairs);
        else if (confirmation_.log_ratios.size() >= 2 && policy.gain_lo)
          ratio = fmt::format("cost less by {:.1f} %, from {:.1f} to {:.1f} at 95 %",
                              100 * *policy.gain_over_start, 100 * *policy.gain_lo, 100 * *policy.gain_hi);
        notice_(
            fmt::format("the best of the search was not surely better than the start configuration when both "
                        "were measured in "
                        "turn ({}); the start configuration stays",
                        ratio));
        best = start_;
      }
      emitter_.write(policy);
      outcome_.policies.push_back(std::move(policy));
    }
    compare_windows();
    leave(best);
  }

  // What start and best gave, for the table that people see.
  void compare_windows() {
    if (!confirmation_.level || confirmation_.start_windows.empty()) return;
    SearchOutcome::Compared compared;
    compared.level = history_.levels()[*confirmation_.level].name;
    compared.start = space_.config(start_);
    compared.best = space_.config(confirmation_.best);
    compared.start_windows = confirmation_.start_windows;
    compared.best_windows = confirmation_.best_windows;
    outcome_.compared = std::move(compared);
  }

  void leave(std::optional<PointId> best) {
    PointId target = start_;
    std::string why = "the start configuration, as --leave says";
    if (options_.leave == Leave::best && outcome_.feasible && best) {
      target = *best;
      why = target == start_ ? "the start configuration: nothing found was surely better"
                             : "the best configuration found";
    } else if (options_.leave == Leave::best) {
      why = "nothing found keeps the objective: the start configuration";
    } else if (options_.leave == Leave::last) {
      if (turn_.current()) target = *turn_.current();
      why = "the last configuration, as --leave says";
    }
    if (turn_.current() != target) {
      std::string note;
      const std::string level = history_.levels().empty() ? "" : history_.levels()[most_seen()].name;
      if (!turn_.set(next_i_, level, target, why, true, &note)) {
        turn_.set_good(start_);
        turn_.revert(next_i_, fmt::format("the configuration to leave could not be set: {}", note));
        throw environment_error(
            "{}: the configuration to leave, {}, could not be set: {}; the start configuration is",
            endpoint_.name, config_json(space_.config(target)), note);
      }
    }
    // It may have been set before, by the last window; the journal has to vouch for it all the same.
    turn_.event("promoted", next_i_, target, why);
    outcome_.left = config_id(space_.config(target));
  }

  void restore(const std::string& reason) {
    if (turn_.current() == start_) {
      outcome_.left = config_id(space_.config(start_));
      return;
    }
    turn_.set_good(start_);
    turn_.revert(next_i_, reason);
    outcome_.left = config_id(space_.config(start_));
  }

  SearchOutcome dry() {
    Question question;
    question.level = next_level();
    question.i = asked_;
    question.budget = budget_;
    const Choice choice = tuner_->ask(history_, question);
    records::Decision decision;
    decision.i = next_i_;
    decision.level = history_.levels()[question.level].name;
    const Config config = space_.config(choice.point);
    decision.config = records::RawJson{config_json(config)};
    decision.config_id = config_id(config);
    decision.from = config_id(space_.config(start_));
    decision.reason = choice.why.empty() ? "the tuner's choice" : choice.why;
    decision.dry_run = true;
    std::string requests;
    for (const std::string& line : endpoint_.actuator->describe(config))
      requests += (requests.empty() ? "" : "\n") + line;
    decision.request = requests;
    emitter_.write(decision);
    outcome_.feasible = true;
    return outcome_;
  }

  const SearchOptions& options_;
  Objective& objective_;
  Endpoint& endpoint_;
  const SearchMemory& memory_;
  const Space& space_;
  Emitter& emitter_;
  const Clock& clock_;
  const int64_t origin_ns_;
  const StopFlag& stop_;
  const std::function<void(const std::string&)>& notice_;
  const std::function<void(uint64_t, uint64_t)>& progress_;
  Turn turn_;
  History history_;
  std::unique_ptr<Tuner> tuner_;
  std::unique_ptr<LevelSchedule> schedule_;
  Baselines noise_;
  Confirmation confirmation_;
  SearchOutcome outcome_;
  std::vector<std::pair<LevelId, PointId>> choices_;
  std::optional<Window> last_window_;
  PointId start_ = 0;
  int foreign_changes_ = 0;
  LevelId level_ = 0;
  bool level_known_ = false;
  bool endpoint_can_be_read_ = false;
  uint64_t next_i_;
  uint64_t budget_ = 0;
  uint64_t asked_ = 0;  // trials that the tuner has chosen
  uint64_t restarts_ = 0;
  Voids voids_;
  std::optional<uint64_t> baseline_at_;
};

// A run of a search, as against one of live or tell.
bool is_search(const JournalRun& run) { return run.run.budget.has_value(); }

// How much less the windows of another machine, server or search say.
constexpr double kElsewhere = 2;

void add_prior_run(SearchMemory& memory, const JournalRun& run, const Space& space,
                   const Objective& objective, double variance) {
  for (const records::Trial& trial : run.trials) {
    if (trial.phase == "baseline") continue;
    std::optional<Observation> row = observation_of(trial, space, objective);
    if (!row) continue;
    row->prior = true;
    row->y_var *= variance;
    Level level;
    level.name = trial.level;
    level.rate_per_s = trial.rate_per_s.value_or(0);
    memory.prior.emplace_back(level, *row);
  }
}

}  // namespace

void add_prior(SearchMemory& memory, const JournalContents& journal, const Space& space,
               const Objective& objective) {
  for (const JournalRun& run : journal.runs) add_prior_run(memory, run, space, objective, kElsewhere);
}

SearchMemory recall(const JournalContents& journal, const Space& space, const Objective& objective,
                    const std::string& host, const std::string& fingerprint) {
  SearchMemory memory;
  // The search that goes on: the last runs, as far back as each was interrupted.
  size_t begin = journal.runs.size();
  while (begin > 0 && is_search(journal.runs[begin - 1]) && !journal.runs[begin - 1].finished()) --begin;
  for (size_t k = 0; k < journal.runs.size(); ++k) {
    const JournalRun& run = journal.runs[k];
    if (k >= begin) {
      memory.done.insert(memory.done.end(), run.trials.begin(), run.trials.end());
      for (const records::TuneEvent& event : run.events)
        if (event.event == "start" && event.config && !memory.start)
          memory.start = parse_config(event.config->text, "journal");
      continue;
    }
    const bool elsewhere = run.run.host.value_or(host) != host ||
                           run.run.server_fingerprint.value_or(fingerprint) != fingerprint;
    add_prior_run(memory, run, space, objective, elsewhere ? kElsewhere : 1);
  }
  if (!journal.runs.empty()) {
    if (const records::Decision* decision = journal.runs.back().unanswered()) memory.unanswered = *decision;
    memory.was_cut = unsettled(journal);
    // A step on a live endpoint was killed: what is set now is its candidate, and not what to begin with.
    if (memory.was_cut && !memory.start) memory.start = last_good(journal);
  }
  return memory;
}

SearchOutcome run_search(const SearchOptions& options, Objective& objective, Endpoint& endpoint,
                         const SearchMemory& memory, uint64_t first_i, Emitter& emitter, const Clock& clock,
                         const StopFlag& stop, const std::function<void(const std::string&)>& notice,
                         const std::function<void(uint64_t, uint64_t)>& progress) {
  return Search(options, objective, endpoint, memory, first_i, emitter, clock, stop, notice, progress).run();
}

}  // namespace mlq::tune
