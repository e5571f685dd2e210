// The histogram of latencies, gaps and lengths: mergeable, exact in its ranks, within 0.391% in its values.
//
// Log-linear over int64: 128 sub-buckets an octave, 5,248 counters for 0 .. 2^47 - 1 (as nanoseconds: 39
// hours).
//   v < 128:  index = v;   else, with e = floor(log2 v),  index = ((e - 7) << 7) + (v >> (e - 7)).
// Back: index < 256 is the value itself; else e = (index >> 7) + 6, low = (index - ((e - 7) << 7)) << (e -
// 7), width 2^(e - 7). A larger v counts in the last bucket and in `clamped`; min, max and the sum (128 bits)
// stay exact. Merging adds counters, so it is associative and order-free: n processes give bit-identical
// quantiles to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/units.h"

namespace mlq::stats {

// A histogram as the fields of a `hist` record, without what the record adds (metric, class, unit).
struct HistogramFields {
  uint64_t count = 0;
  std::string sum = "0";       // decimal
  std::optional<int64_t> min;  // absent when count is 0
  std::optional<int64_t> max;
  uint64_t clamped = 0;
  std::string bins;  // `index:count ...`, ascending, counts > 0, one space between
};

// A value type of 42 kB. Not thread-safe: one writer; merge copies.
class Histogram {
 public:
  static constexpr unsigned kSubBits = 7;
  static constexpr size_t kBuckets = 5248;
  static constexpr int64_t kLimit = int64_t{1} << 47;  // the first value that is clamped

  // Counts `value` >= 0 `times` times; an input Error for a negative value. At most 2^63 - 1 values in all.
  void record(int64_t value, uint64_t times = 1);
  // An input Error if the two hold more than 2^63 - 1 values together; nothing is changed then.
  void merge(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t clamped() const { return clamped_; }
  std::optional<int64_t> min() const { return count_ ? std::optional(min_) : std::nullopt; }
  std::optional<int64_t> max() const { return count_ ? std::optional(max_) : std::nullopt; }
  std::optional<double> mean() const;  // the exact sum, rounded once, over the count
  uint64_t counter(size_t index) const { return counters_[index]; }

  // Nearest rank: the value of rank ceil(q count), found in integers and at least 1; q in [0, 1]. Absent when
  // empty.
  std::optional<int64_t> quantile(const Ratio& q) const;
  // The value of the rank-th smallest, 1 <= rank <= count: its bucket's middle, clipped to [min, max].
  int64_t value_at_rank(uint64_t rank) const;

  HistogramFields fields() const;
  // The way back. An input Error names the fault when the fields do not describe one histogram: index out of
  // range or out of order, a count of 0 or too large, totals that disagree, a sum outside what the buckets
  // allow.
  static Histogram from_fields(const HistogramFields& fields);

  static size_t index_of(int64_t value);  // value >= 0; the last bucket for values >= kLimit
  static int64_t low_of(size_t index);    // the smallest value of the bucket
  static int64_t width_of(size_t index);  // how many values it holds
  static int64_t middle_of(size_t index) { return low_of(index) + (width_of(index) - 1) / 2; }

  bool operator==(const Histogram&) const = default;

 private:
  __extension__ using Sum = unsigned __int128;

  std::vector<uint64_t> counters_ = std::vector<uint64_t>(kBuckets);
  uint64_t count_ = 0;
  uint64_t clamped_ = 0;
  Sum sum_ = 0;
  int64_t min_ = 0;
  int64_t max_ = 0;
};

}  // namespace mlq::stats
