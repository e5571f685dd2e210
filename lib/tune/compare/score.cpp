#include "lib/tune/compare/score.h"

#include <algorithm>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/stats/quantile.h"

namespace mlq::tune {
namespace {

constexpr double kNear = 1.05;

std::optional<int64_t> quantile_of(std::vector<int64_t> values, const Ratio& q) {
  std::sort(values.begin(), values.end());
  return stats::quantile(std::span<const int64_t>(values), q);
}

}  // namespace

Truth::Truth(const Surface& surface, const Objective& objective) : space_(surface.space()) {
  const auto points = space_.points();
  if (points.empty())
    throw input_error("surface {}: its grid is too large to know the best of", surface.name());
  constexpr double kNone = std::numeric_limits<double>::infinity();
  for (LevelId level = 0; level < surface.levels().size(); ++level) {
    LevelCosts& costs = levels_.emplace_back();
    double worst = 0, best_feasible = kNone, best = kNone;
    for (const PointId point : points) {
      const records::WindowStats window = surface.truth(level, point);
      double cost = kNone;
      bool feasible = false;
      if (window.outcome == "ok") {
        const Objective::Value value = objective.value(window);
        if (!value.cost)
          throw input_error("surface {}: {} cannot be judged: {}", surface.name(),
                            config_json(space_.config(point)), value.note);
        cost = *value.cost;
        feasible = value.feasible;
        worst = std::max(worst, cost);
        best = std::min(best, cost);
        if (feasible) best_feasible = std::min(best_feasible, cost);
      }
      costs.costs.push_back(cost);
      costs.feasible.push_back(feasible);
    }
    if (best == kNone)
      throw input_error("surface {}: nothing works at level {}", surface.name(),
                        surface.levels()[level].name);
    costs.any_feasible = best_feasible != kNone;
    costs.best = costs.any_feasible ? best_feasible : best;
    std::replace(costs.costs.begin(), costs.costs.end(), kNone, worst);
  }
}

double Truth::cost(LevelId level, PointId point) const { return levels_[level].costs[space_.rank(point)]; }

bool Truth::near_best(LevelId level, PointId point) const {
  const LevelCosts& costs = levels_[level];
  const size_t rank = space_.rank(point);
  return (costs.feasible[rank] || !costs.any_feasible) && costs.costs[rank] <= kNear * costs.best;
}

Cell score_run(const VirtualRun& run, const Truth& truth) {
  Cell cell;
  cell.virtual_ns = run.virtual_ns;
  cell.decide_ns = run.decide_ns;
  const auto ln_ratio = [&](LevelId level, PointId point) {
    return fmath::log(truth.cost(level, point) / truth.best(level));
  };
  for (size_t k = 0; k < run.points.size(); ++k) {
    cell.ln_online += ln_ratio(run.levels[k], run.points[k]) / static_cast<double>(run.points.size());
    if (!cell.reached && truth.near_best(run.levels[k], run.points[k])) cell.reached = k + 1;
  }
  size_t known = 0;
  for (LevelId level = 0; level < run.recommended.size(); ++level) {
    if (!run.recommended[level]) continue;
    cell.ln_rec += ln_ratio(level, *run.recommended[level]);
    ++known;
  }
  if (known == 0) cell.failure = "it has no recommendation: every trial failed";
  if (known > 1) cell.ln_rec /= static_cast<double>(known);
  return cell;
}

records::Score cell_record(const Comparison& comparison, const Cell& cell) {
  records::Score score;
  score.tuner = comparison.tuners[cell.tuner];
  score.surface = comparison.surfaces[cell.surface];
  score.seed = cell.seed;
  if (!cell.failure.empty()) {
    score.note = cell.failure;
    score.rec_ratio = score.online_ratio = std::numeric_limits<double>::quiet_NaN();
    return score;
  }
  if (cell.reached) score.trials_to_5pct = static_cast<double>(*cell.reached);
  score.rec_ratio = fmath::exp(cell.ln_rec);
  score.online_ratio = fmath::exp(cell.ln_online);
  score.virtual_ns = cell.virtual_ns;
  score.decide_p50_ns = quantile_of(cell.decide_ns, {1, 2});
  score.decide_p99_ns = quantile_of(cell.decide_ns, {99, 100});
  return score;
}

}  // namespace mlq::tune
