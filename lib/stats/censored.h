// Quantiles of values of which some are known only to lie above a bound: requests that were given up.
//
// The product-limit estimate of Kaplan and Meier, "Nonparametric estimation from incomplete observations", J.
// Amer. Statist. Assoc. 53 (1958), over the buckets of two histograms. It takes censoring to be unrelated to
// the value, which timeouts are not: the bound and the interval beside it make no such assumption.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/stats/histogram.h"

namespace mlq::stats {

// A view of two histograms, which must outlive it. Pure, thread-safe. Everything follows from counters, so
// merged histograms give the bits of one.
class CensoredSample {
 public:
  // `events` are values, `censored` lower bounds of values; `beyond` is how many values lie above everything,
  // with no bound known.
  CensoredSample(const Histogram& events, const Histogram& censored, uint64_t beyond);

  uint64_t count() const { return events_.count() + unknown(); }
  uint64_t unknown() const { return censored_.count() + beyond_; }

  // The least t with S(t) <= 1 - q, where S is the product over buckets of (at risk - events) / at risk,
  // events first within a bucket; the middle of the bucket, clipped to what occurred. As long as no censored
  // value lies below, that is the nearest rank of all values, found in integers; with no unknown value it is
  // Histogram::quantile. Absent where S stays above 1 - q. q in [0, 1]. Past the first censored value S is a
  // double, and 1 - q is met within a relative 1e-12, so that ties are met.
  std::optional<int64_t> quantile(const Ratio& q) const;
  // The largest value or bound that is known: an absent quantile is not below it.
  std::optional<int64_t> bound() const;

  // Ends of the distribution-free interval of the quantile q (quantile_rank_interval), whatever the unknown
  // values are: the lower end takes them at their bounds, the upper end as infinite. An end is absent where
  // it cannot be known. 0 < q < 1.
  struct Ends {
    std::optional<int64_t> lo, hi;
  };
  Ends interval(const Ratio& q, double confidence = 0.95) const;

 private:
  std::optional<int64_t> product_limit(const Ratio& q, size_t first, uint64_t head) const;
  int64_t pooled_value_at_rank(uint64_t rank) const;

  const Histogram& events_;
  const Histogram& censored_;
  uint64_t beyond_;
};

}  // namespace mlq::stats
