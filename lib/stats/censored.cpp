#include "lib/stats/censored.h"

#include <algorithm>

#include "lib/stats/quantile.h"

namespace mlq::stats {
namespace {

constexpr double kTie = 1 + 1e-12;

}  // namespace

CensoredSample::CensoredSample(const Histogram& events, const Histogram& censored, uint64_t beyond)
    : events_(events), censored_(censored), beyond_(beyond) {}

std::optional<int64_t> CensoredSample::quantile(const Ratio& q) const {
  if (events_.count() == 0) return std::nullopt;
  const uint64_t rank = nearest_rank(q, count());
  if (censored_.count() == 0) {
    if (rank > events_.count()) return std::nullopt;
    return events_.value_at_rank(rank);
  }
  const size_t first = Histogram::index_of(*censored_.min());
  uint64_t head = 0;
  for (size_t k = 0; k <= first; ++k) head += events_.counter(k);
  if (rank <= head) return events_.value_at_rank(rank);
  return product_limit(q, first, head);
}

// S from the bucket behind `first` on, the first that has a censored value; `head` events lie up to there.
// Between two buckets with censored values the product is one quotient, which keeps roundings few.
std::optional<int64_t> CensoredSample::product_limit(const Ratio& q, size_t first, uint64_t head) const {
  const double target = static_cast<double>(q.den - q.num) / static_cast<double>(q.den) * kTie;
  double base = static_cast<double>(count() - head) / static_cast<double>(count());
  uint64_t base_risk = count() - head - censored_.counter(first);
  uint64_t risk = base_risk;
  for (size_t k = first + 1; k < Histogram::kBuckets && risk > 0; ++k) {
    const uint64_t events = events_.counter(k);
    const uint64_t censored = censored_.counter(k);
    if (events > 0) {
      risk -= events;
      const double survival = base * (static_cast<double>(risk) / static_cast<double>(base_risk));
      if (survival <= target) return std::clamp(Histogram::middle_of(k), *events_.min(), *events_.max());
    }
    if (censored > 0) {
      base *= static_cast<double>(risk) / static_cast<double>(base_risk);
      risk -= censored;
      base_risk = risk;
    }
  }
  return std::nullopt;
}

std::optional<int64_t> CensoredSample::bound() const { return std::max(events_.max(), censored_.max()); }

int64_t CensoredSample::pooled_value_at_rank(uint64_t rank) const {
  if (censored_.count() == 0) return events_.value_at_rank(rank);
  Histogram pooled = events_;
  pooled.merge(censored_);
  return pooled.value_at_rank(rank);
}

CensoredSample::Ends CensoredSample::interval(const Ratio& q, double confidence) const {
  const RankInterval ranks = quantile_rank_interval(count(), q, confidence);
  Ends ends;
  if (ranks.lo && *ranks.lo <= events_.count() + censored_.count()) ends.lo = pooled_value_at_rank(*ranks.lo);
  if (ranks.hi && *ranks.hi <= events_.count()) ends.hi = events_.value_at_rank(*ranks.hi);
  return ends;
}

}  // namespace mlq::stats
