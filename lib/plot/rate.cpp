#include "lib/plot/rate.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/units.h"

namespace mlq::plot {

void RateCurve::add(int64_t t_ns) {
  ++windows_.at(t_ns).count;
  first_ns_ = count_ == 0 ? t_ns : std::min(first_ns_, t_ns);
  last_ns_ = count_ == 0 ? t_ns : std::max(last_ns_, t_ns);
  ++count_;
}

int64_t RateCurve::end_ns() const {
  if (count_ < 2) return last_ns_;
  const auto gap_ns = static_cast<double>(last_ns_ - first_ns_) / static_cast<double>(count_ - 1);
  return last_ns_ + static_cast<int64_t>(gap_ns);
}

std::string RateCurve::label(std::string_view what) const {
  return fmt::format("{} (in {})", what, format_duration(windows_.width_ns()));
}

std::vector<Point> RateCurve::points(int64_t begin_ns, int64_t end_ns) const {
  std::vector<Point> out;
  if (empty()) return out;
  const int64_t width = windows_.width_ns();
  const int64_t first = windows_.cells().begin()->first, last = windows_.cells().rbegin()->first;
  for (int64_t k = first; k <= last; ++k) {
    const int64_t from = std::max(k * width, begin_ns), to = std::min((k + 1) * width, end_ns);
    const int64_t inside = first == last ? std::max<int64_t>(to - from, 1) : to - from;
    if (inside < width / 2 && first != last) continue;
    const auto cell = windows_.cells().find(k);
    const double count = cell == windows_.cells().end() ? 0 : static_cast<double>(cell->second.count);
    const double middle = static_cast<double>(from) + static_cast<double>(inside) / 2;
    out.push_back({middle / 1e9, count / (static_cast<double>(inside) / 1e9)});
  }
  return out;
}

}  // namespace mlq::plot
