#include "lib/plot/ccdf.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/error.h"

namespace mlq::plot {

std::vector<Point> ccdf(const stats::Histogram& histogram) {
  std::vector<Point> out;
  const uint64_t n = histogram.count();
  if (n == 0) return out;
  uint64_t below = 0;
  for (size_t i = 0; i < stats::Histogram::kBuckets; ++i) {
    if (histogram.counter(i) == 0) continue;
    const int64_t low = std::max(stats::Histogram::low_of(i), *histogram.min());
    const Point held{static_cast<double>(low) / 1e9, static_cast<double>(n - below) / static_cast<double>(n)};
    below += histogram.counter(i);
    if (out.empty() || held.x > 1.01 * out.back().x || held.y < 0.99 * out.back().y) out.push_back(held);
  }
  const Point last{static_cast<double>(*histogram.max()) / 1e9, 1 / static_cast<double>(n)};
  if (out.back().x < last.x || out.back().y > last.y) out.push_back(last);
  return out;
}

std::optional<stats::Histogram> histogram_of(const records::Hist& h, const std::string& where) {
  if (h.unit != "ns" || h.sub_bits != stats::Histogram::kSubBits) return std::nullopt;
  try {
    return stats::Histogram::from_fields({h.count, h.sum, h.min, h.max, h.clamped.value_or(0), h.bins});
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: hist: {}", where, error.what()));
  }
}

void ccdf_axes(const std::string& what, Picture& into) {
  into.x = {.label = what, .quantity = Quantity::time, .logarithmic = true};
  into.y = {.label = "percentile", .quantity = Quantity::percentile, .logarithmic = true};
}

}  // namespace mlq::plot
