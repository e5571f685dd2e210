#include "lib/stats/idc.h"

#include <algorithm>
#include <limits>

#include "lib/base/error.h"
#include "lib/stats/special.h"

namespace mlq::stats {

std::vector<int64_t> default_idc_windows() {
  std::vector<int64_t> windows;
  for (int64_t w = 1'000'000; w <= 1'000'000'000'000; w *= 10) windows.push_back(w);
  windows.push_back(3'600'000'000'000);
  return windows;
}

IdcCounter::IdcCounter(const std::vector<int64_t>& windows_ns) {
  for (const int64_t w : windows_ns) {
    scales_.push_back({w, 0, w, 0, 0});
    next_end_ns_ = std::min(next_end_ns_, w);
  }
}

// Closes the open window; those between it and the one that holds t_ns are empty.
void IdcCounter::open_window_at(Scale& scale, int64_t t_ns) const {
  const uint64_t in_window = count_ - scale.before;
  scale.squares += Wide{in_window} * in_window;
  scale.before = count_;
  scale.index = t_ns / scale.window_ns;
  const int64_t start = scale.index * scale.window_ns;
  scale.end_ns = start > INT64_MAX - scale.window_ns ? INT64_MAX : start + scale.window_ns;
}

void IdcCounter::add(int64_t t_ns) {
  if (t_ns < last_ns_) {
    throw input_error("arrival at {} ns comes after one at {} ns; counting needs them in order", t_ns,
                      last_ns_);
  }
  last_ns_ = t_ns;
  if (t_ns >= next_end_ns_) {
    next_end_ns_ = INT64_MAX;
    for (Scale& scale : scales_) {
      if (t_ns >= scale.end_ns) open_window_at(scale, t_ns);
      next_end_ns_ = std::min(next_end_ns_, scale.end_ns);
    }
  }
  ++count_;
}

std::vector<IdcPoint> IdcCounter::points(int64_t duration_ns) const {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  std::vector<IdcPoint> points;
  for (Scale scale : scales_) {
    if (duration_ns >= scale.end_ns) open_window_at(scale, duration_ns);
    IdcPoint point{scale.window_ns, static_cast<uint64_t>(scale.index), kNaN, kNaN, kNaN, kNaN};
    const uint64_t sum = scale.before;
    if (point.windows > 0) point.mean = static_cast<double>(sum) / static_cast<double>(point.windows);
    if (point.windows >= 2 && sum > 0) {
      const double df = static_cast<double>(point.windows - 1);
      const Wide spread = Wide{point.windows} * scale.squares - Wide{sum} * sum;
      point.idc = static_cast<double>(spread) / static_cast<double>(sum) / df;
      point.lo = point.idc * (df / chi_square_quantile(0.975, df));
      point.hi = point.idc * (df / chi_square_quantile(0.025, df));
    }
    points.push_back(point);
  }
  return points;
}

}  // namespace mlq::stats
