#include "lib/tune/drive/policy.h"

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/stats/student.h"

namespace mlq::tune {
namespace {

std::vector<double> values_at(const History& history, LevelId level, PointId point, double* variance) {
  std::vector<double> values;
  for (const Observation& row : history.rows()) {
    if (row.prior || row.level != level || row.point != point || row.outcome != TrialOutcome::ok) continue;
    values.push_back(row.y);
    *variance = row.y_var;
  }
  return values;
}

// With one window its own variance is all that is known.
stats::MeanInterval interval(const std::vector<double>& values, double variance) {
  stats::MeanInterval out = stats::mean_interval(values);
  if (values.size() == 1 && variance > 0) {
    const double half = 1.959963984540054 * std::sqrt(variance);
    out.lo = out.mean - half;
    out.hi = out.mean + half;
  }
  return out;
}

void set_gain(records::Policy& policy, double ratio, double lo, double hi) {
  policy.gain_over_start = 1 - fmath::exp(ratio);
  if (std::isfinite(lo) && std::isfinite(hi)) {
    policy.gain_lo = 1 - fmath::exp(hi);
    policy.gain_hi = 1 - fmath::exp(lo);
  }
}

}  // namespace

void Confirmation::add(const TurnResult& start, const TurnResult& found) {
  if (start.row.outcome == TrialOutcome::none || found.row.outcome == TrialOutcome::none) return;
  if (start.trial.level != found.trial.level) return;
  const auto kept = [](const TurnResult& r) { return r.row.outcome == TrialOutcome::ok && r.row.feasible; };
  ++pairs;
  if (found.row.outcome != TrialOutcome::ok || (!kept(found) && kept(start))) ++lost;
  if (kept(found) && !kept(start)) ++rescued;
  // A window that was cut short, or a server that fails, has no figure.
  if (start.row.outcome != TrialOutcome::ok || found.row.outcome != TrialOutcome::ok) return;
  log_ratios.push_back(found.row.y - start.row.y);
  start_windows.push_back(start.trial);
  best_windows.push_back(found.trial);
}

bool Confirmation::better() const {
  if (pairs < 2 || lost > 0) return false;
  if (rescued == pairs) return true;
  return log_ratios.size() >= 2 && stats::mean_interval(log_ratios, 0.90).hi < 0;
}

records::Policy make_policy(const History& history, LevelId level, PointId point, PointId start,
                            const Confirmation* confirmation, bool latency) {
  const Space& space = history.space();
  records::Policy policy;
  policy.level = history.levels()[level].name;
  const Config config = space.config(point);
  policy.config = records::RawJson{config_json(config)};
  policy.config_id = config_id(config);
  double variance = 0, start_variance = 0;
  const std::vector<double> values = values_at(history, level, point, &variance);
  const PointSummary* summary = history.at(level, point);
  policy.trials = summary == nullptr ? 0 : summary->tries;
  policy.y = summary == nullptr ? 0 : summary->mean_y;
  if (!values.empty()) {
    const stats::MeanInterval i = interval(values, variance);
    policy.y = i.mean;
    if (std::isfinite(i.lo)) {
      policy.y_lo = i.lo;
      policy.y_hi = i.hi;
    }
  }
  if (latency) policy.stat_ns = static_cast<int64_t>(fmath::exp(policy.y));
  const std::vector<double> at_start = values_at(history, level, start, &start_variance);
  if (confirmation != nullptr && !confirmation->log_ratios.empty()) {
    const stats::MeanInterval i = stats::mean_interval(confirmation->log_ratios);
    set_gain(policy, i.mean, i.lo, i.hi);
  } else if (!at_start.empty() && !values.empty() && point != start) {
    const stats::MeanInterval a = interval(at_start, start_variance), b = interval(values, variance);
    set_gain(policy, b.mean - a.mean, b.lo - a.hi, b.hi - a.lo);
  }
  if (confirmation != nullptr) policy.confirmed = confirmation->better();
  if (point == start) policy.confirmed = summary != nullptr && summary->feasible && summary->n >= 2;
  std::vector<std::string> changed;
  for (size_t axis = 0; axis < space.dims(); ++axis)
    if (space.step(point, axis) != space.step(start, axis)) changed.push_back(space.axes()[axis].name);
  policy.changes = changed;
  return policy;
}

}  // namespace mlq::tune
