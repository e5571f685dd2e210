#include "lib/tune/tuner/finalists.h"

#include <cmath>

#include "lib/stats/student.h"

namespace mlq::tune {
namespace {

constexpr double kBelievedDf = 4;
constexpr uint32_t kMostWindows = 8, kEnoughWindows = 4;
constexpr double kNoDifference = 0.01;

size_t leader_of(std::span<const Finalist> finalists) {
  size_t leader = 0;
  for (size_t k = 1; k < finalists.size(); ++k) {
    const Finalist &a = finalists[k], &b = finalists[leader];
    if (b.n == 0 || a.n == 0) continue;
    if (a.feasible != b.feasible ? a.feasible : a.mean < b.mean) leader = k;
  }
  return leader;
}

}  // namespace

std::vector<Finalist> judge_finalists(const History& history, LevelId level, std::span<const PointId> points,
                                      double noise_var) {
  std::vector<Finalist> out;
  double square = kBelievedDf * noise_var, df = kBelievedDf;
  for (const PointId point : points) {
    Finalist f;
    f.point = point;
    uint32_t held = 0;
    double inner = 0;
    for (const Observation& row : history.rows()) {
      if (!row.confirm || row.prior || row.level != level || row.point != point) continue;
      ++f.n;
      held += row.feasible ? 1 : 0;
      const double away = row.y - f.mean;
      f.mean += away / f.n;
      inner += away * (row.y - f.mean);
    }
    f.feasible = f.n == 0 || held * 2 > f.n;
    if (f.n > 1) {
      square += inner;
      df += f.n - 1;
    }
    out.push_back(f);
  }
  if (out.empty()) return out;
  const Finalist leader = out[leader_of(out)];
  const double t = stats::student_quantile(0.975, df);
  for (Finalist& f : out) {
    f.settled = f.n >= kMostWindows;
    if (f.point == leader.point || f.n < 2 || leader.n < 2) continue;
    const double sd = std::sqrt(square / df * (1.0 / f.n + 1.0 / leader.n));
    const double away = f.mean - leader.mean;
    f.settled |= std::fabs(away) > t * sd || (leader.feasible && !f.feasible);
    f.settled |= std::min(f.n, leader.n) >= kEnoughWindows && std::fabs(away) < kNoDifference;
  }
  return out;
}

std::optional<PointId> next_finalist(std::span<const Finalist> finalists) {
  if (finalists.size() < 2) return std::nullopt;
  const size_t leader = leader_of(finalists);
  const Finalist* next = nullptr;
  bool open = false;
  for (size_t k = 0; k < finalists.size(); ++k) {
    const Finalist& f = finalists[k];
    open |= k != leader && !f.settled;
    if ((f.settled && k != leader) || f.n >= kMostWindows) continue;
    if (next == nullptr || f.n < next->n) next = &f;
  }
  if (!open || next == nullptr) return std::nullopt;
  return next->point;
}

std::optional<PointId> pick_finalist(const Space& space, PointId start, std::span<const Finalist> finalists,
                                     std::span<const double> values) {
  size_t best = finalists.size();
  for (size_t k = 0; k < finalists.size(); ++k)
    if (finalists[k].feasible && finalists[k].n > 0 && (best == finalists.size() || values[k] < values[best]))
      best = k;
  if (best == finalists.size()) return std::nullopt;
  size_t kept = best;
  for (size_t k = 0; k < finalists.size(); ++k) {
    if (!finalists[k].feasible || finalists[k].n == 0 || values[k] > values[best] + kNoDifference) continue;
    const size_t changes = space.changes(start, finalists[k].point);
    const size_t fewest = space.changes(start, finalists[kept].point);
    if (changes < fewest || (changes == fewest && values[k] < values[kept])) kept = k;
  }
  return finalists[kept].point;
}

}  // namespace mlq::tune
