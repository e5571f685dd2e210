#include "lib/plot/ccdf.h"

#include <algorithm>

namespace mlq::plot {

std::vector<Point> ccdf(const stats::Histogram& histogram) {
  std::vector<Point> out;
  const uint64_t n = histogram.count();
  if (n == 0) return out;
  uint64_t below = 0;
  Point held;
  for (size_t i = 0; i < stats::Histogram::kBuckets; ++i) {
    if (histogram.counter(i) == 0) continue;
    const int64_t low = std::max(stats::Histogram::low_of(i), *histogram.min());
    held = {static_cast<double>(low) / 1e9, static_cast<double>(n - below) / static_cast<double>(n)};
    below += histogram.counter(i);
    if (out.empty() || held.x > 1.01 * out.back().x || held.y < 0.99 * out.back().y) out.push_back(held);
  }
  const Point last{static_cast<double>(*histogram.max()) / 1e9, held.y};
  if (out.back().x < last.x || out.back().y > last.y) out.push_back(last);
  return out;
}

void ccdf_axes(const std::string& what, const std::string& share, Picture& into) {
  into.x = {.label = what, .quantity = Quantity::time, .logarithmic = true};
  into.y = {.label = share, .quantity = Quantity::share, .logarithmic = true};
}

}  // namespace mlq::plot
