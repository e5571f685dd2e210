// Counts of arrivals in equal windows over a trace of unknown length, in bounded memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mlq::arrival {

// Starts with windows of 1 us and joins them to the next wider ones (by 10 up to 10 s, then 1 min, 10 min, 1
// h, 1 d, 10 d) whenever a trace does not fit in 2^17 of them. So a trace that ends has more than 5,000
// windows, or the finest. 1 MiB. Not thread-safe.
class CountSeries {
 public:
  void add(int64_t t_ns, uint64_t count = 1);  // in any order, t_ns >= 0
  int64_t window_ns() const { return window_ns_; }
  // The windows that begin before duration_ns, the last of them perhaps cut short; those after the last
  // arrival are 0.
  std::vector<double> counts(int64_t duration_ns) const;

 private:
  void widen();

  int64_t window_ns_ = 1000;
  std::vector<uint64_t> counts_;
};

// The width from 1, 2, 5 times a power of ten (30 s, 1, 2, 5, 10, 30 min, 1, 2, 6, 12 h; days) that cuts
// `duration_ns` into about 100. A multiple of CountSeries' window for such a trace. At least 1 us.
int64_t round_bin_width(int64_t duration_ns);

// Sums of `factor` values each; the last may be of fewer.
std::vector<double> joined(std::span<const double> values, size_t factor);

}  // namespace mlq::arrival
