#include "lib/plot/tick_room.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/plot/gnuplot_text.h"
#include "lib/plot/scale.h"

namespace mlq::plot {
namespace {

// Of its whole multiples, which gnuplot writes with six digits.
size_t widest_name(double low, double high, double step) {
  const double first = std::ceil(low / step) * step;
  const auto count = static_cast<int>((high - low) / step);
  size_t widest = 1;
  for (int k = 0; k <= count; ++k) widest = std::max(widest, fmt::format("{:g}", first + k * step).size());
  return widest;
}

struct Decimal {
  int mantissa = 1;  // 1, 2 or 5
  int exponent = 0;
  double value() const { return decimal(mantissa, exponent); }
  Decimal next() const {
    return mantissa == 5 ? Decimal{1, exponent + 1} : Decimal{mantissa == 1 ? 2 : 5, exponent};
  }
};

// Five to ten of them, as gnuplot's quantize_normal_tics.
Decimal gnuplot_step(double length) {
  const int exponent = decade_of(length);
  const double leading = length / decimal(1, exponent);
  return leading < 2   ? Decimal{2, exponent - 1}
         : leading < 5 ? Decimal{5, exponent - 1}
                       : Decimal{1, exponent};
}

}  // namespace

std::vector<size_t> ticks_with_room(const PlacedTicks& ticks, const TickRoom& room) {
  size_t widest = 1;
  for (const auto& [name, at] : ticks) widest = std::max(widest, characters_in(name));
  std::vector<size_t> kept;
  for (size_t i = 0; i < ticks.size(); ++i) {
    const double from_last = kept.empty() ? room.length : ticks[i].second - ticks[kept.back()].second;
    if (kept.empty() || std::abs(from_last) * room.length >= room.taken(widest)) kept.push_back(i);
  }
  return kept;
}

std::optional<TickStep> step_with_room(double low, double high, const TickRoom& room) {
  const double length = high - low;
  if (!(length > 0) || !std::isfinite(length)) return std::nullopt;
  Decimal step = gnuplot_step(length);
  TickStep out{step.value(), widest_name(low, high, step.value()), false};
  while (out.size < length && room.length * out.size / length < room.taken(out.widest)) {
    step = step.next();
    out = {step.value(), widest_name(low, high, step.value()), true};
  }
  return out;
}

}  // namespace mlq::plot
