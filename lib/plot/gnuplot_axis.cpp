#include "lib/plot/gnuplot_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/plot/gnuplot_text.h"

namespace mlq::plot {
namespace {

// The interval of a logarithmic axis may reach over many decades while there is little data; it then does not
// make the curve a flat line: a decade beyond the curves is enough.
Range with_intervals(Range range, Range intervals) {
  constexpr double kBeyond = 10;
  range.low = std::min(range.low, std::max(intervals.low, range.low / kBeyond));
  range.high = std::max(range.high, std::min(intervals.high, range.high * kBeyond));
  return range;
}

// gnuplot takes the name of a tick for a format.
std::string tick_name(std::string_view text, size_t longest) {
  std::string out;
  for (const char c : quoted(text, longest)) out += c == '%' ? std::string("%%") : std::string(1, c);
  return out;
}

std::string tick_list(const std::vector<std::pair<std::string, double>>& ticks) {
  std::string out;
  for (const auto& [text, at] : ticks) out += fmt::format("{}{} {:.7g}", out.empty() ? "" : ", ", text, at);
  return "(" + out + ")";
}

}  // namespace

void Range::add(double value, bool logarithmic) {
  if (!std::isfinite(value) || (logarithmic && value <= 0)) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

Range range_of(const Picture& picture, bool vertical, double margin) {
  const Axis& axis = vertical ? picture.y : picture.x;
  const bool has_intervals = picture.y.rows.empty() == vertical;
  Range range, intervals;
  for (const Curve& curve : picture.curves) {
    for (const Point& p : curve.points) {
      range.add(vertical ? p.y : p.x, axis.logarithmic);
      if (!has_intervals) continue;
      intervals.add(p.lo, axis.logarithmic);
      intervals.add(p.hi, axis.logarithmic);
    }
  }
  for (const Mark& mark : picture.marks) {
    // Not on the frame.
    if (mark.vertical != vertical) range.add(kHeadroom * mark.at, axis.logarithmic);
  }
  if (!axis.logarithmic) {
    range.add(intervals.low, false);
    range.add(intervals.high, false);
    return range;
  }
  if (intervals.low <= intervals.high) range = with_intervals(range, intervals);
  if (axis.quantity != Quantity::percentile) {
    const double beyond =
        1 + margin + fmath::expm1(margin * (fmath::log(range.high) - fmath::log(range.low)));
    range.low /= beyond;
    range.high *= beyond;
  }
  return range;
}

LogTicks ticks_of(const Axis& axis, const Range& range) {
  return axis.quantity == Quantity::percentile ? percentile_ticks(range.low)
                                               : log_ticks(range.low, range.high);
}

std::optional<Range> linear_range(const Axis& axis, Range range, double margin) {
  if (!(range.low < range.high) || !std::isfinite(range.high - range.low)) return std::nullopt;
  if (axis.from_zero || (range.low > 0 && range.low < range.high / 8)) range.low = std::min(range.low, 0.0);
  const double beyond = margin * (range.high - range.low);
  return Range{range.low - beyond, range.high + beyond};
}

Range ends_of(const Axis& axis, const Range& range, double margin) {
  if (!axis.logarithmic) {
    if (const std::optional<Range> ends = linear_range(axis, range, margin)) return *ends;
    const double around = range.low == 0 ? 1 : std::abs(range.low) / 2;
    return {range.low - around, range.high + around};
  }
  const LogTicks log = ticks_of(axis, range);
  return {log.from, log.to};
}

DrawnAxis rows_axis(const Axis& axis, size_t widest) {
  DrawnAxis drawn;
  std::vector<std::pair<std::string, double>> ticks;
  for (size_t i = 0; i < axis.rows.size(); ++i) {
    ticks.emplace_back(tick_name(axis.rows[i], widest), static_cast<double>(i));
    drawn.widest = std::max(drawn.widest, std::min(characters_in(axis.rows[i]), widest));
  }
  drawn.commands = fmt::format("set yrange [{}:-0.5]\nset ytics {} noenhanced\n",
                               static_cast<double>(axis.rows.size()) - 0.5, tick_list(ticks));
  return drawn;
}

namespace {

// The names of the powers that have room, and the places where they stand.
void add_log_ticks(const Axis& axis, char name, const LogTicks& log, const TickRoom& room, DrawnAxis& drawn) {
  PlacedTicks placed;
  const double length = fmath::log(log.to / log.from);
  for (const double at : log.at)
    placed.emplace_back(tick_text(axis.quantity, at), fmath::log(at / log.from) / length);
  std::vector<std::pair<std::string, double>> ticks;
  for (const size_t i : ticks_with_room(placed, room)) {
    const std::string& text = placed[i].first;
    ticks.emplace_back(tick_name(text, 20), log.at[i]);
    drawn.widest = std::max(drawn.widest, characters_in(text));
  }
  drawn.commands += fmt::format("set {}tics {} noenhanced\n", name, tick_list(ticks));
}

}  // namespace

DrawnAxis drawn_axis(const Axis& axis, char name, const Range& range, const std::optional<Range>& ends,
                     const TickRoom& room) {
  DrawnAxis drawn;
  drawn.label = axis.label;
  if (axis.logarithmic) {
    const LogTicks log = ticks_of(axis, range);
    drawn.commands =
        fmt::format("set logscale {0}\nset {0}range [{1:.7g}:{2:.7g}]\n", name, log.from, log.to);
    add_log_ticks(axis, name, log, room, drawn);
    return drawn;
  }
  const Unit unit = unit_for(axis.quantity, std::max(std::abs(range.low), std::abs(range.high)));
  drawn.factor = unit.factor;
  drawn.unit = unit.unit.empty() ? "" : " (" + unit.unit + ")";
  if (ends)
    drawn.commands =
        fmt::format("set {}range [{:.7g}:{:.7g}]\n", name, ends->low * unit.factor, ends->high * unit.factor);
  else if (axis.from_zero)
    drawn.commands = fmt::format("set {}range [0:*]\n", name);
  const Range shown = ends ? *ends : Range{axis.from_zero ? 0 : range.low, range.high};
  if (const auto step = step_with_room(shown.low * unit.factor, shown.high * unit.factor, room)) {
    drawn.widest = step->widest;
    if (step->chosen) drawn.commands += fmt::format("set {}tics {:g}\n", name, step->size);
  }
  return drawn;
}

}  // namespace mlq::plot
