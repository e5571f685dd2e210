#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/cli/table.h"
#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

constexpr const char* kEighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr const char* kAscii[] = {" ", ".", ".", ".", ".", "#", "#", "#", "#"};
constexpr size_t kLevels = 8;

// Means of equal shares of the values; a value on a border counts to both sides in proportion.
std::vector<double> in_columns(std::span<const double> values, size_t width) {
  const size_t n = std::min(values.size(), width);
  std::vector<double> out(n);
  const double share = n == 0 ? 0 : static_cast<double>(values.size()) / static_cast<double>(n);
  for (size_t column = 0; column < n; ++column) {
    const double begin = static_cast<double>(column) * share;
    const double end = std::min(begin + share, static_cast<double>(values.size()));
    double sum = 0;
    for (auto i = static_cast<size_t>(begin); i < values.size() && static_cast<double>(i) < end; ++i) {
      const double left = std::max(begin, static_cast<double>(i));
      const double right = std::min(end, static_cast<double>(i) + 1);
      if (std::isfinite(values[i])) sum += std::max(0.0, values[i]) * (right - left);
    }
    out[column] = sum / share;
  }
  return out;
}

double highest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

// How many eighths of `cells` cells a value fills; any value above 0 is seen.
size_t eighths(double value, double top, size_t cells) {
  if (!(top > 0) || !(value > 0)) return 0;
  const double full = static_cast<double>(cells * kLevels);
  return std::max<size_t>(1, static_cast<size_t>(std::lround(value / top * full)));
}

const char* cell(size_t filled, size_t below, bool utf8) {
  const size_t level = filled <= below ? 0 : std::min(filled - below, kLevels);
  return utf8 ? kEighths[level] : kAscii[level];
}

// The smallest of 1, 2, 5 times a power of ten, and their like, that is not below the value: a scale that
// reads well.
double scale_top(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}) {
    if (step * power >= value) return step * power;
  }
  return 10 * power;
}

}  // namespace

std::string Chart::text(std::span<const double> values) const {
  // The scale's numbers come first, as their width is taken from the chart's.
  const double top = scale_top(highest(in_columns(values, width)));
  const std::string high = rounded(top) + unit;
  const std::string low = "0" + unit;
  const size_t scale = std::max(columns(high), columns(low));
  const size_t room = width > scale + 3 ? width - scale - 3 : 1;
  const std::vector<double> bars = in_columns(values, room);

  std::string out;
  for (size_t line = height; line-- > 0;) {
    const std::string& number = line + 1 == height ? high : line == 0 ? low : std::string();
    out += std::string(scale - columns(number), ' ') + number + (utf8 ? " ┤" : " |");
    std::string row;
    for (const double bar : bars) row += cell(eighths(bar, top, height), line * kLevels, utf8);
    row.resize(row.find_last_not_of(' ') + 1);
    out += row + '\n';
  }
  if (from.empty() && to.empty()) return out;
  const size_t used = columns(from) + columns(to);
  const size_t gap = bars.size() > used ? bars.size() - used : 1;
  return out + std::string(scale + 2, ' ') + from + std::string(gap, ' ') + to + '\n';
}

std::string sparkline(std::span<const double> values, size_t width, bool utf8) {
  const std::vector<double> bars = in_columns(values, width);
  const double top = highest(bars);
  std::string out;
  for (const double bar : bars) out += cell(eighths(bar, top, 1), 0, utf8);
  return out;
}

}  // namespace mlq::cli
