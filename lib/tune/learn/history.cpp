#include "lib/tune/learn/history.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlq::tune {
namespace {

constexpr uint32_t kFailuresToBar = 2;
constexpr double kCapAboveWorst = 0.5;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// How far the constraints are broken: the sum of what is above 0.
double violation(const Observation& row) {
  double sum = 0;
  for (const double slack : row.slack) sum += std::max(0.0, slack);
  return sum;
}

}  // namespace

std::string_view outcome_name(TrialOutcome outcome) {
  constexpr std::string_view names[] = {"ok", "aborted", "failed", "void"};
  return names[static_cast<size_t>(outcome)];
}

LevelId History::level(const Level& level) {
  for (size_t k = 0; k < levels_.size(); ++k)
    if (levels_[k].name == level.name) return static_cast<LevelId>(k);
  levels_.push_back(level);
  tried_.emplace_back();
  return static_cast<LevelId>(levels_.size() - 1);
}

void History::add(Observation row) {
  if (row.outcome == TrialOutcome::none) return;
  if (!std::isfinite(row.y)) {
    double worst = -std::numeric_limits<double>::infinity();
    for (const Observation& known : rows_)
      if (known.level == row.level && known.outcome == TrialOutcome::ok) worst = std::max(worst, known.y);
    row.y = std::isfinite(worst) ? worst + kCapAboveWorst : 0;
  }
  if (row.outcome == TrialOutcome::failed) row.feasible = false;
  if (row.prior) {
    rows_.push_back(std::move(row));
    return;
  }
  auto& tried = tried_[row.level];
  auto found = std::find_if(tried.begin(), tried.end(), [&](const auto& s) { return s.point == row.point; });
  if (found == tried.end()) {
    PointSummary fresh;
    fresh.point = row.point;
    fresh.mean_y = row.y;
    tried.push_back(fresh);
    found = tried.end() - 1;
  }
  PointSummary& s = *found;
  ++s.tries;
  s.last_i = row.i;
  if (row.outcome == TrialOutcome::failed) ++s.failures;
  if (row.outcome == TrialOutcome::ok) {
    s.mean_y = s.n == 0 ? row.y : s.mean_y + (row.y - s.mean_y) / (s.n + 1);
    ++s.n;
  } else if (s.n == 0) {
    s.mean_y = std::max(s.mean_y, row.y);
  }
  rows_.push_back(std::move(row));
  uint32_t held = 0, all = 0;
  for (const Observation& known : rows_) {
    if (known.prior || known.level != rows_.back().level || known.point != s.point) continue;
    ++all;
    held += known.feasible ? 1 : 0;
  }
  s.feasible = held * 2 > all;
}

size_t History::count(LevelId level) const {
  return static_cast<size_t>(
      std::count_if(rows_.begin(), rows_.end(), [&](const Observation& row) { return row.level == level; }));
}

const std::vector<PointSummary>& History::tried(LevelId level) const {
  static const std::vector<PointSummary> none;
  return level < tried_.size() ? tried_[level] : none;
}

const PointSummary* History::at(LevelId level, PointId point) const {
  for (const PointSummary& s : tried(level))
    if (s.point == point) return &s;
  return nullptr;
}

bool History::barred(PointId point) const {
  uint32_t failures = 0;
  for (const auto& level : tried_)
    for (const PointSummary& s : level)
      if (s.point == point) failures += s.failures;
  return failures >= kFailuresToBar;
}

double History::winsor_cap(LevelId level) const {
  std::vector<double> values;
  for (const Observation& row : rows_)
    if (row.level == level && row.outcome == TrialOutcome::ok) values.push_back(row.y);
  if (values.empty()) return std::numeric_limits<double>::infinity();
  const double least = *std::min_element(values.begin(), values.end());
  const double middle = median(std::move(values));
  return middle + 1.5 * (middle - least) + 0.1;
}

std::optional<PointId> History::best_mean(LevelId level) const {
  const PointSummary* best = nullptr;
  for (const PointSummary& s : tried(level)) {
    if (s.n == 0 || !s.feasible) continue;
    if (best == nullptr || s.mean_y < best->mean_y) best = &s;
  }
  if (best != nullptr) return best->point;
  // Nothing is feasible: the least violation, and of what only failed or was cut short the least bound.
  std::optional<PointId> least;
  double least_violation = std::numeric_limits<double>::infinity();
  double least_y = std::numeric_limits<double>::infinity();
  for (const Observation& row : rows_) {
    if (row.prior || row.level != level || row.outcome == TrialOutcome::failed) continue;
    const double v = row.outcome == TrialOutcome::ok ? violation(row) : 1e9;
    if (v < least_violation || (v == least_violation && row.y < least_y)) {
      least = row.point;
      least_violation = v;
      least_y = row.y;
    }
  }
  return least;
}

}  // namespace mlq::tune
