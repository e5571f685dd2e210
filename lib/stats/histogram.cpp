#include "lib/stats/histogram.h"

#include <algorithm>
#include <bit>

#include "lib/base/error.h"
#include "lib/stats/quantile.h"

namespace mlq::stats {
namespace {

constexpr uint64_t kMostValues = INT64_MAX;

}  // namespace

size_t Histogram::index_of(int64_t value) {
  if (value >= kLimit) return kBuckets - 1;
  const uint64_t v = static_cast<uint64_t>(value);
  if (v < (1u << kSubBits)) return v;
  const unsigned shift = static_cast<unsigned>(std::bit_width(v)) - 1 - kSubBits;
  return (size_t{shift} << kSubBits) + (v >> shift);
}

int64_t Histogram::width_of(size_t index) {
  return index < (2u << kSubBits) ? 1 : int64_t{1} << ((index >> kSubBits) - 1);
}

int64_t Histogram::low_of(size_t index) {
  if (index < (2u << kSubBits)) return static_cast<int64_t>(index);
  const size_t shift = (index >> kSubBits) - 1;
  return static_cast<int64_t>((index - (shift << kSubBits)) << shift);
}

void Histogram::record(int64_t value, uint64_t times) {
  if (value < 0) throw input_error("histogram: value {} is negative; only values >= 0 can be counted", value);
  if (times == 0) return;
  min_ = count_ ? std::min(min_, value) : value;
  max_ = count_ ? std::max(max_, value) : value;
  counters_[index_of(value)] += times;
  count_ += times;
  if (value >= kLimit) clamped_ += times;
  sum_ += Sum{times} * static_cast<uint64_t>(value);
}

void Histogram::merge(const Histogram& other) {
  if (other.count_ == 0) return;
  if (other.count_ > kMostValues - count_)
    throw input_error("histogram: a merge would hold more than 2^63 - 1 values");
  min_ = count_ ? std::min(min_, other.min_) : other.min_;
  max_ = count_ ? std::max(max_, other.max_) : other.max_;
  for (size_t i = 0; i < kBuckets; ++i) counters_[i] += other.counters_[i];
  count_ += other.count_;
  clamped_ += other.clamped_;
  sum_ += other.sum_;
}

std::optional<double> Histogram::mean() const {
  if (count_ == 0) return std::nullopt;
  return static_cast<double>(sum_) / static_cast<double>(count_);
}

std::optional<int64_t> Histogram::quantile(const Ratio& q) const {
  if (count_ == 0) return std::nullopt;
  return value_at_rank(nearest_rank(q, count_));
}

int64_t Histogram::value_at_rank(uint64_t rank) const {
  uint64_t below = 0;
  size_t index = index_of(min_);
  while (index + 1 < kBuckets && below + counters_[index] < rank) below += counters_[index++];
  return std::clamp(middle_of(index), min_, max_);
}

}  // namespace mlq::stats
