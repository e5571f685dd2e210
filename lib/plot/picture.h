// What is drawn, without a word of who draws it: curves, marks and axes in base units (seconds, shares,
// samples). Plain values; a writer such as gnuplot_script.h scales them to units that people read.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace mlq::plot {

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// What an axis measures. Times are in seconds, sizes in bytes, shares in 0 .. 1; a percentile is the share of
// the values that are at least so large, 0.01 for p99, and its axis is logarithmic.
enum class Quantity { number, time, bytes, share, percentile };

struct Axis {
  std::string label = {};
  Quantity quantity = Quantity::number;
  bool logarithmic = false;
  bool from_zero = false;              // a linear axis begins at 0
  std::vector<std::string> rows = {};  // of a y axis: y is an index into these names, the first on top
};

// An interval [lo, hi] is of y; of x where the y axis has rows. An end that is NaN is none: the interval of a
// line then reaches to the end of a logarithmic axis. A y that is not finite breaks the curve.
struct Point {
  double x = 0;
  double y = 0;
  double lo = kNone;
  double hi = kNone;
};

// Of steps, a value holds from its point on; of steps_to, up to its point.
enum class Shape { line, steps, steps_to, points };

struct Curve {
  std::string label;
  Shape shape = Shape::line;
  std::vector<Point> points;
  bool with_last = false;  // belongs to the curve before it: in its colour, where there are colours
};

// A line across the picture: of a limit.
struct Mark {
  std::string label;
  double at = 0;
  bool vertical = false;
};

struct Picture {
  std::string title;
  std::string subject;  // what was run, behind the title where there is room; may be empty
  Axis x, y;
  std::vector<Curve> curves;
  std::vector<Mark> marks;

  // The index of a row of the y axis, which is added if it is new.
  size_t row(const std::string& name);
  // Whether the curve has a point that can be drawn: on a logarithmic axis one above 0.
  bool shows(const Curve& curve) const;
  // Whether it shows no curve.
  bool empty() const;
};

}  // namespace mlq::plot
