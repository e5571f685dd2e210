// The largest of many, with ties settled the same way by every tuner.
#pragma once

#include <span>

#include "lib/tune/space/space.h"

namespace mlq::tune {

// Index of the largest gain; of equal ones that whose point changes the fewest knobs of `start`, then the one
// with the lowest number. At least one point.
inline size_t largest(const Space& space, PointId start, std::span<const PointId> points,
                      std::span<const double> gain) {
  size_t best = 0;
  for (size_t k = 1; k < points.size(); ++k) {
    if (gain[k] < gain[best]) continue;
    if (gain[k] == gain[best]) {
      const size_t a = space.changes(start, points[k]), b = space.changes(start, points[best]);
      if (a != b ? a > b : points[k] > points[best]) continue;
    }
    best = k;
  }
  return best;
}

}  // namespace mlq::tune
