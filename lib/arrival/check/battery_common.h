// What the batteries share. Inside lib/arrival only.
#pragma once

#include <optional>
#include <string>

#include "lib/arrival/check/battery.h"
#include "lib/arrival/trace/count_series.h"
#include "lib/stats/idc.h"
#include "lib/stats/reservoir.h"

namespace mlq::arrival {

constexpr uint64_t kFewestArrivals = 50;
// Stream of purpose bootstrap for what rounding to nanoseconds has lost; the first three are those of the
// lengths.
constexpr uint32_t kRoundingStream = 3;

// Counts and ties of a stream of times.
class Times {
 public:
  void add(int64_t t_ns) {
    if (count_ == 0) first_ns_ = t_ns;
    if (count_ > 0 && t_ns == last_ns_) ++ties_;
    last_ns_ = t_ns;
    ++count_;
  }
  uint64_t count() const { return count_; }
  int64_t first_ns() const { return first_ns_; }
  int64_t last_ns() const { return last_ns_; }
  // Why tests of continuous laws make no sense; empty if they do.
  std::string obstacle() const;

 private:
  uint64_t count_ = 0;
  uint64_t ties_ = 0;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
};

// How many values of 8 bytes are kept: tests copy them a few times.
inline size_t sample_capacity(uint64_t memory_bytes) {
  return static_cast<size_t>(std::max<uint64_t>(memory_bytes / 64, 1000));
}

// Ljung-Box and runs of values in order of time; skipped where the sample has lost the order.
void test_independence(const stats::Reservoir<double>& values, Findings& findings);
// Dispersion in windows of the widths of `points`, named by `name` of the width.
void test_dispersion(const std::vector<stats::IdcPoint>& points, std::string (*name)(int64_t),
                     Findings& findings);
// Long-range dependence of the counts against none.
void test_memory(const CountSeries& series, int64_t duration_ns, Findings& findings);
// `note` for tests on a sample of the values.
std::string sample_note(const stats::Reservoir<double>& values);

}  // namespace mlq::arrival
