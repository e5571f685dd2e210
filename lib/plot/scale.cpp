#include "lib/plot/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace mlq::plot {
namespace {

constexpr int kLowest = -300, kHighest = 300;
constexpr int kMostDecades = 8;  // that are named on one axis

struct Step {
  double size;
  const char* name;
};

constexpr Step kTimes[] = {{1e-9, "ns"}, {1e-6, "us"}, {1e-3, "ms"}, {1, "s"}};
constexpr Step kBytes[] = {{1, "B"}, {1e3, "kB"}, {1e6, "MB"}, {1e9, "GB"}, {1e12, "TB"}};
constexpr Step kWords[] = {{1e3, "thousands"}, {1e6, "millions"}, {1e9, "billions"}, {1e12, "trillions"}};
constexpr Step kNumbers[] = {{1, ""}, {1e3, "k"}, {1e6, "M"}, {1e9, "G"}, {1e12, "T"}};

std::string percentile_text(double share) {
  if (share >= 1) return "min";
  if (share > 0.1) return fmt::format("p{:g}", 100 * (1 - share));
  const int nines = -decade_of(share);
  return nines < 3 ? std::string("p9") + (nines == 2 ? '9' : '0')
                   : "p99." + std::string(static_cast<size_t>(nines - 2), '9');
}

// The largest step that is not above the value; the first for less.
template <size_t N>
const Step& step_of(const Step (&steps)[N], double value) {
  const auto above =
      std::find_if(std::begin(steps), std::end(steps), [&](const Step& s) { return s.size > value; });
  return above == std::begin(steps) ? *above : *std::prev(above);
}

}  // namespace

double decimal(int mantissa, int exponent) {
  const std::string text = fmt::format("{}e{}", mantissa, exponent);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

int decade_of(double value) {
  int exponent = 0;
  while (exponent > kLowest && decimal(1, exponent) > value) --exponent;
  while (exponent < kHighest && decimal(1, exponent + 1) <= value) ++exponent;
  return exponent;
}

Unit unit_for(Quantity quantity, double largest) {
  if (quantity == Quantity::share) return {100, "%"};
  if (quantity == Quantity::bytes) {
    const Step& step = step_of(kBytes, largest);
    return {1 / step.size, step.name};
  }
  if (quantity == Quantity::number && largest >= 1e5) {
    const Step& step = step_of(kWords, largest);
    return {1 / step.size, step.name};
  }
  if (quantity != Quantity::time) return {};
  if (largest >= 3 * 86'400) return {1.0 / 86'400, "d"};
  if (largest >= 3 * 3'600) return {1.0 / 3'600, "h"};
  if (largest >= 10 * 60) return {1.0 / 60, "min"};
  const Step& step = step_of(kTimes, largest > 0 ? largest : 1);
  return {1 / step.size, step.name};
}

LogTicks log_ticks(double from, double to) {
  constexpr int kParts[] = {1, 2, 5};
  LogTicks ticks;
  const int first = decade_of(from), last = decade_of(to);
  ticks.from = decimal(1, first);
  ticks.to = decimal(1, last + 1);
  for (int exponent = first; exponent <= last; ++exponent) {
    for (const int part : kParts) {
      const double value = decimal(part, exponent);
      if (value <= from) ticks.from = value;
    }
  }
  for (int exponent = last; exponent >= first; --exponent) {
    for (const int part : {5, 2, 1}) {
      const double value = decimal(part, exponent);
      if (value >= to) ticks.to = value;
    }
  }
  if (ticks.to <= ticks.from) ticks.to = decimal(1, last + 1);
  const bool wide = ticks.to / ticks.from > 150;
  const int every = (last + 1 - first) / kMostDecades + 1;
  for (int exponent = first; exponent <= last + 1; ++exponent) {
    for (const int part : kParts) {
      const double value = decimal(part, exponent);
      const bool named = wide ? part == 1 && (last - exponent) % every == 0 : true;
      if (named && value >= ticks.from && value <= ticks.to) ticks.at.push_back(value);
    }
  }
  return ticks;
}

LogTicks percentile_ticks(double from) {
  LogTicks ticks;
  const int last = std::min(-1, decade_of(from));
  ticks.from = decimal(1, last);
  ticks.to = 1;
  ticks.at = {1, 0.5};
  for (int exponent = -1; exponent >= last; --exponent) ticks.at.push_back(decimal(1, exponent));
  return ticks;
}

std::string tick_text(Quantity quantity, double value) {
  if (quantity == Quantity::percentile) return percentile_text(value);
  if (quantity == Quantity::bytes) {
    const Step& step = step_of(kBytes, value);
    return fmt::format("{:g}{}", value / step.size, step.name);
  }
  if (quantity == Quantity::share) return fmt::format("{:g}%", 100 * value);
  if (quantity == Quantity::time) {
    const Step& step = step_of(kTimes, value);
    return fmt::format("{:g}{}", value / step.size, step.name);
  }
  const Step& step = step_of(kNumbers, value);
  return fmt::format("{:g}{}", value / step.size, step.name);
}

}  // namespace mlq::plot
