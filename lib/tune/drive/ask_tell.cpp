#include "lib/tune/drive/ask_tell.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/drive/turn.h"

namespace mlq::tune {
namespace {

const std::string kSingle = "single";

// Two results are the same if their lines are.
std::string line_of(const records::Tell& tell) {
  jsonl::Buffer line;
  records::write_record(line, tell);
  return std::string(line.view());
}

void check_positive(const std::optional<int64_t>& value, std::string_view name, const std::string& where) {
  if (value && *value <= 0) throw input_error("{}: {} must be above 0, and is {}", where, name, *value);
}

}  // namespace

Observation told_row(const records::Tell& tell, const Objective& objective, const std::string& where) {
  Observation row;
  if (tell.failed.value_or(false)) {
    row.outcome = TrialOutcome::failed;
    row.feasible = false;
    row.y = std::numeric_limits<double>::quiet_NaN();
    return row;
  }
  check_positive(tell.latency_ns, "latency_ns", where);
  check_positive(tell.latency_mean_ns, "latency_mean_ns", where);
  check_positive(tell.latency_p50_ns, "latency_p50_ns", where);
  check_positive(tell.latency_p95_ns, "latency_p95_ns", where);
  check_positive(tell.latency_p99_ns, "latency_p99_ns", where);
  row.mean_ns = static_cast<double>(tell.latency_mean_ns.value_or(tell.latency_ns.value_or(0)));
  row.p95_ns = static_cast<double>(tell.latency_p95_ns.value_or(0));
  row.done_per_s = tell.done_per_s.value_or(0);
  row.inflight = row.done_per_s * row.mean_ns * 1e-9;
  row.cpu_ns_per_request = static_cast<double>(tell.cpu_ns_per_request.value_or(0));
  if (tell.cost) {
    if (!(*tell.cost > 0) || !std::isfinite(*tell.cost))
      throw input_error("{}: cost must be a number above 0, and is {}", where, *tell.cost);
    row.y = fmath::log(*tell.cost);
    return row;
  }
  records::WindowStats window;
  static_cast<records::WindowFigures&>(window) = tell;
  window.requests = tell.requests.value_or(0);
  window.errors = tell.errors.value_or(0);
  window.ok = window.requests - std::min(window.errors, window.requests);
  std::optional<double> statistic;
  if (tell.latency_ns) {
    statistic = static_cast<double>(*tell.latency_ns);
    // The one number that was told is the one that is asked for.
    if (!objective.quantile() && !window.latency_mean_ns) window.latency_mean_ns = tell.latency_ns;
    if (objective.quantile() == 0.5 && !window.latency_p50_ns) window.latency_p50_ns = tell.latency_ns;
    if (objective.quantile() == 0.95 && !window.latency_p95_ns) window.latency_p95_ns = tell.latency_ns;
    if (objective.quantile() == 0.99 && !window.latency_p99_ns) window.latency_p99_ns = tell.latency_ns;
  }
  const Objective::Value value = objective.value(window, statistic);
  if (!value.cost)
    throw input_error("{}: there is no figure for the objective {}: {}", where, objective.name(), value.note);
  row.y = value.y;
  row.feasible = value.feasible;
  row.slack = value.slack;
  return row;
}

AskTell::AskTell(const TunerOptions& tuner, const Space& space, const Objective& objective, PointId start,
                 const JournalContents& journal)
    : space_(space), objective_(objective), history_(space, start), tuner_(make_tuner(tuner, space)) {
  next_i_ = journal.next_i;
  for (const JournalRun& run : journal.runs) {
    for (const records::Trial& trial : run.trials) {
      if (trial.phase == "baseline" || trial.phase == "confirm") continue;
      std::optional<Observation> row = observation_of(trial, space, objective);
      if (!row) continue;
      Level level;
      level.name = trial.level;
      level.rate_per_s = trial.rate_per_s.value_or(0);
      row->level = history_.level(level);
      history_.add(*row);
      tuner_->tell(history_, history_.rows().back());
    }
    for (const records::Ask& ask : run.asks) {
      const auto point = space.find(parse_config(ask.config.text, "the journal"));
      if (point) asked_.push_back({ask, *point, false});
    }
    for (const records::Tell& known : run.tells) {
      records::Tell copy = known;
      take(copy, "the journal", true);
    }
  }
}

std::optional<records::Ask> AskTell::pending() const {
  for (const Asked& asked : asked_)
    if (!asked.told) return asked.ask;
  return std::nullopt;
}

std::optional<records::Ask> AskTell::ask(const std::string& level, uint64_t budget) {
  if (told_.size() >= budget) return std::nullopt;
  Level wanted;
  wanted.name = level.empty() ? kSingle : level;
  Question question;
  question.i = told_.size();
  question.level = history_.level(wanted);
  question.budget = budget;
  const Choice choice = tuner_->ask(history_, question);
  if (choice.finished) return std::nullopt;
  const Config config = space_.config(choice.point);
  records::Ask ask;
  ask.i = next_i_++;
  ask.config = records::RawJson{config_json(config)};
  ask.config_id = config_id(config);
  if (wanted.name != kSingle) ask.level = wanted.name;
  asked_.push_back({ask, choice.point, false});
  return ask;
}

AskTell::Asked* AskTell::find(const records::Tell& tell) {
  if (tell.i) {
    for (Asked& asked : asked_)
      if (asked.ask.i == *tell.i) return &asked;
    return nullptr;
  }
  if (!tell.config) return nullptr;
  const auto point = space_.find(parse_config(tell.config->text, "tell"));
  for (Asked& asked : asked_)
    if (point && asked.point == *point && !asked.told) return &asked;
  return nullptr;
}

bool AskTell::told_before(const records::Tell& tell, const std::string& where) const {
  for (const records::Tell& known : told_) {
    if (!tell.i || known.i != tell.i) continue;
    records::Tell same = tell;
    // However the configuration is spelled.
    if (!same.config || space_.find(parse_config(same.config->text, where)) ==
                            space_.find(parse_config(known.config->text, where)))
      same.config = known.config;
    if (!same.level) same.level = known.level;
    if (line_of(same) == line_of(known)) return true;
    throw input_error("{}: trial {} was told before, with another result; what was told first stays", where,
                      *tell.i);
  }
  return false;
}

bool AskTell::tell(records::Tell& tell, const std::string& where) { return take(tell, where, false); }

bool AskTell::take(records::Tell& tell, const std::string& where, bool from_journal) {
  if (told_before(tell, where)) return false;
  Asked* asked = find(tell);
  // What nobody asked for has got its number here: it is in the journal with it.
  if (asked == nullptr && tell.i && !from_journal)
    throw input_error("{}: trial {} was never asked for{}", where, *tell.i,
                      pending() ? fmt::format("; it is {} that waits for its result", pending()->i) : "");
  if (!tell.i && !tell.config) throw input_error("{}: neither i nor config says which trial it is of", where);
  PointId point = asked != nullptr ? asked->point : 0;
  if (tell.config) {
    const auto found = space_.find(parse_config(tell.config->text, where));
    if (!found) throw input_error("{}: {} is no point of the space", where, tell.config->text);
    if (asked != nullptr && *found != asked->point)
      throw input_error("{}: trial {} was asked for with {}, and is told with {}", where, asked->ask.i,
                        asked->ask.config.text, tell.config->text);
    point = *found;
  }
  if (!tell.i) tell.i = asked != nullptr ? asked->ask.i : next_i_++;
  const std::string level =
      asked != nullptr && asked->ask.level ? *asked->ask.level : tell.level.value_or(kSingle);
  learn(tell, point, level, where);
  if (asked != nullptr) {
    asked->told = true;
    if (!tell.level && asked->ask.level) tell.level = asked->ask.level;
  }
  if (!tell.config) tell.config = records::RawJson{config_json(space_.config(point))};
  next_i_ = std::max(next_i_, *tell.i + 1);
  told_.push_back(tell);
  return true;
}

void AskTell::learn(const records::Tell& tell, PointId point, const std::string& level,
                    const std::string& where) {
  Observation row = told_row(tell, objective_, where);
  row.i = told_.size();
  row.point = point;
  Level named;
  named.name = level;
  row.level = history_.level(named);
  history_.add(std::move(row));
  tuner_->tell(history_, history_.rows().back());
}

records::Tell tell_of(const records::Summary& summary) {
  records::Tell tell;
  if (summary.latency.mean) tell.latency_mean_ns = static_cast<int64_t>(*summary.latency.mean);
  tell.latency_p50_ns = summary.latency.p50;
  tell.latency_p95_ns = summary.latency.p95;
  tell.latency_p99_ns = summary.latency.p99;
  tell.done_per_s = summary.done_per_s;
  tell.good_per_s = summary.good_per_s;
  tell.attain = summary.attain;
  tell.attain_lo = summary.attain_lo;
  tell.attain_hi = summary.attain_hi;
  tell.requests = summary.planned;
  tell.errors = summary.planned - std::min(summary.ok, summary.planned);
  return tell;
}

}  // namespace mlq::tune
