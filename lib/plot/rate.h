// Events over time as a rate: counts in windows (windows.h) over the windows' lengths.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/plot/picture.h"
#include "lib/plot/windows.h"

namespace mlq::plot {

// Counts are exact. Not thread-safe.
class RateCurve {
 public:
  void add(int64_t t_ns);
  // Widens the windows of a stream that has ended to what its events allow.
  void settle() { windows_.limit(windows_for(count_)); }
  int64_t width_ns() const { return windows_.width_ns(); }
  void widen_to(int64_t width_ns) { windows_.widen_to(width_ns); }
  bool empty() const { return windows_.cells().empty(); }
  // A point in the middle of each window between two instants, 0 where nothing happened; x in s, y in 1/s. A
  // window that reaches over an end counts as long as it is inside; it is left out if that is less than half
  // of it and it is not the only one.
  std::vector<Point> points(int64_t begin_ns, int64_t end_ns) const;
  // Where a stream that does not say how long it was may be taken to end: a mean gap after its last event.
  int64_t end_ns() const;
  // `what (in 10s)`: with the width of the windows.
  std::string label(std::string_view what) const;

 private:
  struct Count {
    uint64_t count = 0;
    void merge(const Count& other) { count += other.count; }
  };
  Windows<Count> windows_;
  int64_t first_ns_ = 0, last_ns_ = 0;
  uint64_t count_ = 0;
};

}  // namespace mlq::plot
