// The axes of a picture as gnuplot draws them: what they reach over, their units and their ticks. Pure
// functions, thread-safe.
#pragma once

#include <limits>
#include <optional>
#include <string>

#include "lib/plot/picture.h"
#include "lib/plot/scale.h"
#include "lib/plot/tick_room.h"

namespace mlq::plot {

// The largest limit is so far from the frame.
inline constexpr double kHeadroom = 1.1;

// Empty until something is added.
struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  // Passes over what the axis cannot show.
  void add(double value, bool logarithmic);
};

// What an axis shows: curves, intervals along it, limits across it. `margin`: the share that is left free at
// each end of a logarithmic one.
Range range_of(const Picture& picture, bool vertical, double margin);
// Of a logarithmic axis.
LogTicks ticks_of(const Axis& axis, const Range& range);
// Where a linear axis begins and ends: with a margin, or from edge to edge without one; one that begins near
// 0 begins at 0. None if there are no two values.
std::optional<Range> linear_range(const Axis& axis, Range range, double margin);
// Where an axis begins and ends; a single value is in its middle.
Range ends_of(const Axis& axis, const Range& range, double margin);

// An axis as it is drawn: `factor` for its values, its unit in brackets, the characters of the longest name
// of a tick, and the commands that set it up.
struct DrawnAxis {
  double factor = 1;
  std::string label;
  std::string unit;
  size_t widest = 1;
  std::string commands;
};
// `name`: x or y; `ends`: of a linear axis, where gnuplot is not to choose them. Only ticks that have room
// are named.
DrawnAxis drawn_axis(const Axis& axis, char name, const Range& range, const std::optional<Range>& ends,
                     const TickRoom& room);
// A y axis of rows, whose names are shortened to `widest`.
DrawnAxis rows_axis(const Axis& axis, size_t widest);

}  // namespace mlq::plot
