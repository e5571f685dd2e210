#include "lib/tune/tuner/moves.h"

#include <algorithm>
#include <cmath>

namespace mlq::tune {
namespace {

constexpr int kDraws = 1000;

// Ranks of the points tried at a level, rising; those of a listed space only.
std::vector<size_t> tried_ranks(const History& history, LevelId level) {
  std::vector<size_t> ranks;
  for (const PointSummary& s : history.tried(level)) ranks.push_back(history.space().rank(s.point));
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

// The k-th of the numbers 0, 1, ... that are not in `taken`, which rises.
size_t kth_free(const std::vector<size_t>& taken, size_t k) {
  for (const size_t t : taken) {
    if (t > k) break;
    ++k;
  }
  return k;
}

void walk_ball(const Space& space, PointId centre, size_t axis, PointId at, double left,
               std::vector<PointId>& out) {
  if (axis == space.dims()) {
    if (space.valid(at)) out.push_back(at);
    return;
  }
  const auto middle = static_cast<int64_t>(space.step(centre, axis));
  const auto last = static_cast<int64_t>(space.axes()[axis].values.size()) - 1;
  const auto reach = static_cast<int64_t>(std::floor(std::sqrt(left)));
  for (int64_t s = std::max<int64_t>(0, middle - reach); s <= std::min(last, middle + reach); ++s) {
    const auto d = static_cast<double>(s - middle);
    walk_ball(space, centre, axis + 1, space.with_step(at, axis, static_cast<uint32_t>(s)), left - d * d,
              out);
  }
}

}  // namespace

double score(const Observation& row) {
  if (row.feasible) return row.y;
  double violation = 0;
  for (const double slack : row.slack) violation += std::max(0.0, slack);
  return row.y + 1 + violation;
}

std::optional<Choice> opening(const History& history, LevelId level) {
  if (!history.tried(level).empty() || history.barred(history.start())) return std::nullopt;
  Choice choice;
  choice.point = history.start();
  choice.set = "init";
  choice.why = "the live configuration comes first";
  return choice;
}

PointId draw_allowed(const History& history, Draws& draws) {
  for (int k = 0; k < kDraws; ++k) {
    const PointId point = history.space().draw(draws);
    if (!history.barred(point)) return point;
  }
  return history.start();
}

std::optional<PointId> draw_untried(const History& history, LevelId level, Draws& draws) {
  const Space& space = history.space();
  const bool listed = space.listed();
  for (int k = 0; k < kDraws; ++k) {
    PointId point = 0;
    if (listed) {
      const std::vector<size_t> taken = tried_ranks(history, level);
      const size_t free = space.points().size() - taken.size();
      if (free == 0) return std::nullopt;
      point = space.points()[kth_free(taken, draws.below(free))];
    } else {
      point = space.draw(draws);
      if (history.at(level, point) != nullptr) continue;
    }
    if (!history.barred(point)) return point;  // barred at another level
  }
  return std::nullopt;
}

std::optional<PointId> moved(const Space& space, PointId from, size_t axis, int steps) {
  const Axis& a = space.axes()[axis];
  const auto n = static_cast<int64_t>(a.values.size());
  int64_t to = static_cast<int64_t>(space.step(from, axis)) + steps;
  if (!a.ordered) to = ((to % n) + n) % n;
  if (to < 0 || to >= n) return std::nullopt;
  const PointId point = space.canonical(space.with_step(from, axis, static_cast<uint32_t>(to)));
  if (point == from || !space.valid(point)) return std::nullopt;
  return point;
}

std::vector<PointId> index_ball(const Space& space, PointId centre, double radius) {
  std::vector<PointId> out;
  walk_ball(space, centre, 0, centre, radius * radius, out);
  return out;
}

size_t move_count(const Space& space) { return 2 * space.dims() + 1; }

std::optional<PointId> after_move(const History& history, PointId from, size_t move) {
  if (move == 0) return from;
  const auto to = moved(history.space(), from, (move - 1) / 2, move % 2 == 1 ? -1 : 1);
  return to && !history.barred(*to) ? to : std::nullopt;
}

std::optional<size_t> move_between(const History& history, PointId from, PointId to) {
  for (size_t move = 0; move < move_count(history.space()); ++move)
    if (from == to ? move == 0
                   : move > 0 && moved(history.space(), from, (move - 1) / 2, move % 2 == 1 ? -1 : 1) == to)
      return move;
  return std::nullopt;
}

}  // namespace mlq::tune
