// Index of dispersion for counts: variance over mean of the number of arrivals in windows of one width, for
// many widths at once, in one pass and constant memory. 1 for a Poisson process at every width; its rise with
// the width shows burstiness (Cox and Lewis 1966; Fendick and Whitt 1989).
#pragma once

#include <cstdint>
#include <vector>

namespace mlq::stats {

struct IdcPoint {
  int64_t window_ns = 0;
  uint64_t windows = 0;  // complete ones
  double mean = 0;       // arrivals a window
  double idc = 0;        // NaN with fewer than 2 windows or no arrival
  // 95% interval by the chi-square law of (windows - 1) idc with windows - 1 df: it holds for independent,
  // roughly normal counts, and is too narrow where the counts are correlated. NaN where idc is.
  double lo = 0, hi = 0;
};

// 1 ms to 1,000 s by powers of 10, and 1 h.
std::vector<int64_t> default_idc_windows();

// Takes arrivals in order of time. Window k of width w is [k w, (k + 1) w); the last, incomplete one is left
// out. Counts, their sum and their sum of squares are integers, so the result is exact up to one rounding and
// does not depend on how the trace was cut. One increment and one compare an arrival while the finest window
// lasts. Not thread-safe.
class IdcCounter {
 public:
  explicit IdcCounter(const std::vector<int64_t>& windows_ns = default_idc_windows());  // each > 0

  // t_ns >= that of the call before, >= 0; an input Error otherwise.
  void add(int64_t t_ns);
  // The trace ends at duration_ns (not below the last arrival). One point a width, in the order given; may be
  // called at any time, and more arrivals may follow.
  std::vector<IdcPoint> points(int64_t duration_ns) const;

 private:
  __extension__ using Wide = unsigned __int128;
  struct Scale {
    int64_t window_ns = 0;
    int64_t index = 0;    // of the open window
    int64_t end_ns = 0;   // of the open window, INT64_MAX if beyond
    uint64_t before = 0;  // arrivals before the open window
    Wide squares = 0;     // over the closed windows
  };
  void open_window_at(Scale& scale, int64_t t_ns) const;

  std::vector<Scale> scales_;
  uint64_t count_ = 0;
  int64_t last_ns_ = 0;
  int64_t next_end_ns_ = INT64_MAX;  // the first end of an open window
};

}  // namespace mlq::stats
