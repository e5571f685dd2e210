// Time that lies: the true resolution of the stamps of a trace.
//
// Logs stamp in seconds, collectors in batches of seconds with millisecond stamps. The tick is the gcd of the
// differences between distinct stamps. If stamps are shared by two arrivals or more on average, and 90% of
// the gaps between distinct stamps lie within max(2 ticks, 1%) of their median P, the stamps are those of
// batches and the resolution is P; else it is the tick.
#pragma once

#include <cstdint>

#include "lib/stats/reservoir.h"

namespace mlq::stats {

struct Resolution {
  int64_t tick_ns = 0;        // 0 with fewer than two distinct stamps
  int64_t resolution_ns = 0;  // the tick, or P of batches
  uint64_t arrivals = 0;
  uint64_t distinct_times = 0;
  double multiplicity = 0;  // arrivals a distinct stamp; 0 without arrivals
  bool batches = false;
};

// Takes stamps in order. Tick and counts are exact. The gaps for the median are all kept up to 65,536 of
// them; of more, a seeded uniform reservoir of that size is (512 KiB): the share of 90% is then known to 0.4%
// (3 standard errors) and P to the gaps between neighbours in the sample. Not thread-safe.
class ResolutionDetector {
 public:
  explicit ResolutionDetector(uint64_t seed = 1) : gaps_(kKeptGaps, seed) {}

  void add(int64_t t_ns);  // t_ns >= 0 and not below the one before; an input Error otherwise
  Resolution result() const;

 private:
  static constexpr size_t kKeptGaps = 65536;

  Reservoir<int64_t> gaps_;
  uint64_t arrivals_ = 0;
  uint64_t distinct_ = 0;
  int64_t last_ns_ = 0;
  int64_t tick_ns_ = 0;
};

}  // namespace mlq::stats
