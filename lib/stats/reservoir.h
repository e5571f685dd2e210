// A uniform sample of fixed size from a stream of unknown length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/base/random.h"

namespace mlq::stats {

// Keeps every value up to `capacity`, then each set of `capacity` values with equal chance (algorithm R,
// Vitter 1985). The draw for the i-th value is keyed by i alone, so the sample depends on the seed and the
// stream of values only. While `complete`, the values are in the order of arrival; afterwards they are in no
// order. Not thread-safe.
template <class T>
class Reservoir {
 public:
  Reservoir(size_t capacity, uint64_t seed, uint32_t stream = 0)
      : capacity_(capacity), stream_(stream), random_(seed, Purpose::reservoir) {}

  void add(const T& value) {
    const uint64_t i = seen_++;
    if (values_.size() < capacity_) {
      values_.push_back(value);
      return;
    }
    const uint64_t place = below(i + 1, random_.bits(i, 0, stream_));
    if (place < capacity_) values_[place] = value;
  }

  uint64_t seen() const { return seen_; }
  bool complete() const { return seen_ == values_.size(); }
  const std::vector<T>& values() const { return values_; }

 private:
  // A number in [0, n); its bias is below n / 2^64.
  static uint64_t below(uint64_t n, const PhiloxCounter& bits) {
    __extension__ using Wide = unsigned __int128;
    const uint64_t word = (uint64_t{bits.c1} << 32) | bits.c0;
    return static_cast<uint64_t>(Wide{word} * n >> 64);
  }

  size_t capacity_;
  uint32_t stream_;
  RandomStream random_;
  uint64_t seen_ = 0;
  std::vector<T> values_;
};

}  // namespace mlq::stats
