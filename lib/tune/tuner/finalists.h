// The end of a search: the few configurations that may be the best are measured in rotation until it is known
// which is, and among equals the one that changes least is kept.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lib/tune/learn/history.h"

namespace mlq::tune {

struct Finalist {
  PointId point = 0;
  double mean = 0;  // of y in its windows that confirmed
  uint32_t n = 0;   // those windows
  bool feasible = true;
  bool settled = false;  // surely worse than the leader, or no different, or measured often enough
};

// What the windows at a level that confirmed say of `points`. `noise_var` is what a window's noise is
// believed to be before they are known; it counts as 4 degrees of freedom. A 95 % Student interval of the
// difference to the leader that leaves 0 settles a finalist, and so do 8 windows, and 4 windows with a mean
// less than 1 % away.
std::vector<Finalist> judge_finalists(const History& history, LevelId level, std::span<const PointId> points,
                                      double noise_var);
// The one to measure next: of those that are not settled, and the leader, that with the fewest windows. None
// if all is settled.
std::optional<PointId> next_finalist(std::span<const Finalist> finalists);
// The best, or of those less than 1 % worse the one with the fewest knobs changed from `start`. `values` are
// what each is worth (ln cost). None if none is feasible.
std::optional<PointId> pick_finalist(const Space& space, PointId start, std::span<const Finalist> finalists,
                                     std::span<const double> values);

}  // namespace mlq::tune
