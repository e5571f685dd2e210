#include "lib/stats/resolution.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "lib/base/error.h"

namespace mlq::stats {

void ResolutionDetector::add(int64_t t_ns) {
  if (t_ns < last_ns_)
    throw input_error("arrival at {} ns comes after one at {} ns; stamps are needed in order", t_ns,
                      last_ns_);
  if (distinct_ == 0 || t_ns != last_ns_) {
    if (distinct_ > 0) {
      const int64_t gap = t_ns - last_ns_;
      if (tick_ns_ != 1) tick_ns_ = std::gcd(tick_ns_, gap);
      gaps_.add(gap);
    }
    ++distinct_;
  }
  last_ns_ = t_ns;
  ++arrivals_;
}

Resolution ResolutionDetector::result() const {
  Resolution r{tick_ns_, tick_ns_, arrivals_, distinct_, 0, false};
  if (arrivals_ == 0) return r;
  r.multiplicity = static_cast<double>(arrivals_) / static_cast<double>(distinct_);
  if (arrivals_ < 2 * distinct_ || gaps_.seen() == 0) return r;
  std::vector<int64_t> gaps = gaps_.values();
  const auto middle = gaps.begin() + static_cast<ptrdiff_t>((gaps.size() - 1) / 2);
  std::nth_element(gaps.begin(), middle, gaps.end());
  const int64_t period = *middle;
  const int64_t slack = std::max(tick_ns_ > INT64_MAX / 2 ? tick_ns_ : 2 * tick_ns_, period / 100);
  const auto near =
      std::count_if(gaps.begin(), gaps.end(), [&](int64_t g) { return std::abs(g - period) <= slack; });
  r.batches = static_cast<uint64_t>(near) * 10 >= gaps.size() * 9;
  if (r.batches) r.resolution_ns = period;
  return r;
}

}  // namespace mlq::stats
