// A histogram that begins as a list: windows of a hundred requests are many, and 42 kB each are too much for
// them.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/stats/histogram.h"

namespace mlq::replay {

// A value type. Not thread-safe. Up to 1,024 values take 8 bytes each, more of them one histogram; what comes
// out is the same.
class Distribution {
 public:
  // Counts `value` >= 0; an input Error for a negative value.
  void record(int64_t value) {
    if (!folded_.empty()) {
      folded_.front().record(value);
    } else {
      listed_.push_back(value);
      if (listed_.size() > kMostListed) fold();
    }
  }
  void merge(const Distribution& other);
  void merge(const stats::Histogram& other);

  uint64_t count() const { return folded_.empty() ? listed_.size() : folded_.front().count(); }
  bool empty() const { return count() == 0; }
  // All values; takes some microseconds. An input Error for a negative value.
  stats::Histogram histogram() const;

 private:
  static constexpr size_t kMostListed = 1024;
  void fold();

  std::vector<int64_t> listed_;           // while folded_ is empty
  std::vector<stats::Histogram> folded_;  // one or none
};

}  // namespace mlq::replay
