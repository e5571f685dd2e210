// What the agents that turn one knob by one step have in common: rows as features, and the moves between
// them. An agent has one life over all levels; where it stands is where the last trial was.
#pragma once

#include <optional>
#include <vector>

#include "lib/tune/learn/history.h"

namespace mlq::tune {

// What an agent sees of a trial: knobs in [0, 1], then logarithms over those of the first trial of rate,
// mean, p95, throughput, requests in flight, and CPU time a request; 0 where unknown, within +-10.
class TickFeatures {
 public:
  size_t width(const Space& space) const { return space.dims() + 6; }
  void append(const History& history, const Observation& row, std::vector<float>& out);

 private:
  double first_[6] = {};
};

// The moves that are open at a point; staying is one of them unless the point is barred.
std::vector<uint8_t> open_moves(const History& history, PointId point);

}  // namespace mlq::tune
