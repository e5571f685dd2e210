#include "lib/stats/quantile.h"

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/stats/special.h"

namespace mlq::stats {
namespace {

// The least k in [0, n] with P(Bin(n, q) <= k) >= level.
uint64_t binomial_quantile(uint64_t n, double q, double level) {
  uint64_t low = 0;
  uint64_t high = n;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (binomial_cdf(middle, n, q) >= level) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace

uint64_t nearest_rank(const Ratio& q, uint64_t n) {
  __extension__ using Wide = unsigned __int128;
  const Wide rank = (Wide{q.num} * n + q.den - 1) / q.den;
  return static_cast<uint64_t>(std::clamp<Wide>(rank, 1, n));
}

RankInterval quantile_rank_interval(uint64_t n, const Ratio& q, double confidence) {
  RankInterval ranks;
  if (n == 0) return ranks;
  const double tail = (1 - confidence) / 2;
  // P(Bin <= l-1) <= tail holds up to the first k with P(Bin <= k) > tail; equality is kept by asking for the
  // next double.
  const uint64_t lo = binomial_quantile(n, q.value(), std::nextafter(tail, 1));
  if (lo >= 1) ranks.lo = lo;
  const uint64_t hi = binomial_quantile(n, q.value(), 1 - tail) + 1;
  if (hi <= n) ranks.hi = hi;
  return ranks;
}

Interval wilson_interval(uint64_t good, uint64_t n, double confidence) {
  const double z = fmath::normal_quantile(0.5 + confidence / 2);
  const double size = static_cast<double>(n);
  const double share = static_cast<double>(good) / size;
  const double shrink = 1 + z * z / size;
  const double centre = (share + z * z / (2 * size)) / shrink;
  const double half = z / shrink * std::sqrt(share * (1 - share) / size + z * z / (4 * size * size));
  return {good == 0 ? 0 : centre - half, good == n ? 1 : centre + half};
}

}  // namespace mlq::stats
