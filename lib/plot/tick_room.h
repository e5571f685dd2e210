// Which ticks of an axis have room for their names. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mlq::plot {

// How long an axis is: in characters of a name where names stand side by side, as below a picture; in lines
// where they stand one above the other.
struct TickRoom {
  double length = 1;
  bool side_by_side = true;

  // What a tick takes whose name has so many characters.
  double taken(size_t characters) const { return side_by_side ? static_cast<double>(characters) + 1 : 1; }
};

// Names and places; a place is a share of the axis' length.
using PlacedTicks = std::vector<std::pair<std::string, double>>;
// The indices of the ticks, in ascending order, that do not meet one that is kept before them.
std::vector<size_t> ticks_with_room(const PlacedTicks& ticks, const TickRoom& room);

// The distance of the ticks of a linear axis from `low` to `high`: gnuplot's own, which it takes whatever the
// size of the picture, or where names would meet the next of 1, 2, 5, 10 ... at which they do not.
struct TickStep {
  double size = 1;
  size_t widest = 1;    // characters of the longest name
  bool chosen = false;  // not gnuplot's own
};
// None if low is not below high.
std::optional<TickStep> step_with_room(double low, double high, const TickRoom& room);

}  // namespace mlq::plot
