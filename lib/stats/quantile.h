// Ranks, quantiles and distribution-free intervals. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "lib/base/units.h"

namespace mlq::stats {

// ceil(q n) in integers, at least 1: the nearest rank. 0 <= q <= 1, n >= 1.
uint64_t nearest_rank(const Ratio& q, uint64_t n);

// The nearest-rank quantile of values sorted ascending; absent when there are none.
template <class T>
std::optional<T> quantile(std::span<const T> sorted, const Ratio& q) {
  if (sorted.empty()) return std::nullopt;
  return sorted[nearest_rank(q, sorted.size()) - 1];
}

// Ranks (from 1) of the order statistics that bound the quantile q of the law behind n independent values:
// with probability `confidence` at least, whatever the law. lo = max{l : P(Bin(n,q) <= l-1) <=
// (1-confidence)/2}, hi = min{u : P(Bin(n,q) <= u-1) >= (1+confidence)/2} (David and Nagaraja, Order
// Statistics, 7.1). An end is absent where n is too small to have one. 0 < q < 1.
struct RankInterval {
  std::optional<uint64_t> lo, hi;
};
RankInterval quantile_rank_interval(uint64_t n, const Ratio& q, double confidence = 0.95);

struct Interval {
  double lo, hi;
};
// The interval of Wilson (1927) for a share of which `good` of n >= 1 were seen.
Interval wilson_interval(uint64_t good, uint64_t n, double confidence = 0.95);

}  // namespace mlq::stats
