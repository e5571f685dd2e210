#include "lib/stats/anytime.h"

#include "lib/base/fmath.h"

namespace mlq::stats {
namespace {

constexpr double kLnPi = 1.1447298858494002;  // ln B(1/2, 1/2)

// The p between `inside`, which is in the interval, and `outside`, where the interval ends.
double end_between(double misses, double n, double inside, double outside, double limit) {
  for (int k = 0; k < 60; ++k) {
    const double middle = inside + (outside - inside) / 2;
    (ln_evidence(misses, n, middle) < limit ? inside : outside) = middle;
  }
  return outside;
}

}  // namespace

double ln_evidence(double misses, double n, double p) {
  const double hits = n - misses;
  const double averaged = fmath::lgamma(misses + 0.5) + fmath::lgamma(hits + 0.5) - fmath::lgamma(n + 1);
  double likelihood = 0;
  if (misses > 0) likelihood += misses * fmath::log(p);
  if (hits > 0) likelihood += hits * fmath::log1p(-p);
  return averaged - kLnPi - likelihood;
}

Interval anytime_interval(double misses, double n, double alpha) {
  if (n <= 0) return {0, 1};
  const double limit = -fmath::log(alpha);
  const double p = misses / n;
  Interval out{0, 1};
  if (misses > 0) out.lo = end_between(misses, n, p, 0, limit);
  if (misses < n) out.hi = end_between(misses, n, p, 1, limit);
  return out;
}

bool surely_above(double misses, double n, double p, double alpha) {
  if (n <= 0 || misses <= p * n) return false;
  return p <= 0 || (p < 1 && ln_evidence(misses, n, p) >= -fmath::log(alpha));
}

bool surely_below(double misses, double n, double p, double alpha) {
  if (n <= 0 || misses >= p * n) return false;
  return p >= 1 || (p > 0 && ln_evidence(misses, n, p) >= -fmath::log(alpha));
}

}  // namespace mlq::stats
