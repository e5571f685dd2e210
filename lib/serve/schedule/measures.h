// Small measures the scheduler keeps: the arrival rate, its own overhead, the share of batches over
// prediction, and the concurrency limit found from latencies. Pure; not thread-safe.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "lib/serve/schedule/latency_model.h"

namespace mlq::serve {

// Rows a second, exponentially weighted with a half-life of 1 s, and corrected for the time before the first.
class ArrivalRate {
 public:
  void add(int64_t now_ns, double rows);
  double rows_per_ns(int64_t now_ns) const;

 private:
  double sum_ = 0;  // decayed rows at last_ns_
  int64_t first_ns_ = 0, last_ns_ = 0;
  bool any_ = false;
};

// The p99 of the last 1,024 overheads that are not older than 1 s, anew after every 64 and every 250 ms. What
// is older must go: an overhead that lets no request through would never be corrected by new ones.
class OverheadWindow {
 public:
  void add(int64_t now_ns, int64_t overhead_ns);
  void advance(int64_t now_ns);  // time passes, with or without overheads
  int64_t p99_ns() const { return p99_ns_; }

 private:
  static constexpr size_t kWindow = 1024;
  struct Sample {
    int64_t at_ns, overhead_ns;
  };
  void refresh(int64_t now_ns);

  std::vector<Sample> window_;  // a ring once it is full
  size_t next_ = 0;
  uint32_t since_ = 0;
  int64_t refreshed_ns_ = INT64_MIN / 2;
  int64_t p99_ns_ = 0;
};

// The share of the last 512 that were true; 0 before the first.
class ShareWindow {
 public:
  void add(bool value);
  double share() const { return size_ == 0 ? 0 : static_cast<double>(trues_) / static_cast<double>(size_); }

 private:
  std::bitset<512> window_;
  size_t size_ = 0, next_ = 0, trues_ = 0;
};

// limit <- limit x min-latency / latency + sqrt(limit), smoothed by 1/5, between 1 and 64 (Netflix
// concurrency-limits, gradient). Latencies are compared at their grid size; the minimum at a size is that of
// the last two times 256 batches. It grows only while at least half of it is in use.
class GradientLimit {
 public:
  void observe(uint32_t rows, double latency_ns, size_t in_flight);
  uint32_t limit() const { return static_cast<uint32_t>(limit_); }

 private:
  static constexpr uint32_t kSpan = 256;
  std::array<double, LatencyModel::kSizes> now_{}, before_{};  // minima; 0: none
  uint32_t batches_ = 0;
  double limit_ = 1;
};

}  // namespace mlq::serve
