#include "lib/stats/student.h"

#include <cmath>
#include <limits>

#include "lib/stats/special.h"

namespace mlq::stats {

double student_cdf(double t, double df) {
  const double tail = beta_inc(df / 2, 0.5, df / (df + t * t)) / 2;
  return t > 0 ? 1 - tail : tail;
}

double student_quantile(double p, double df) {
  if (p == 0.5) return 0;
  if (p < 0.5) return -student_quantile(1 - p, df);
  double low = 0, high = 1;
  while (student_cdf(high, df) < p && high < 1e300) high *= 2;
  // The distribution rises: halving the interval ends where doubles do.
  while (high - low > 1e-11 * high) {
    const double middle = low + (high - low) / 2;
    (student_cdf(middle, df) < p ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

MeanInterval mean_interval(std::span<const double> values, double confidence) {
  MeanInterval out;
  out.n = values.size();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  if (values.empty()) return {nan, nan, nan, nan, 0};
  double sum = 0;
  for (const double v : values) sum += v;
  const auto n = static_cast<double>(values.size());
  out.mean = sum / n;
  const double infinite = std::numeric_limits<double>::infinity();
  if (values.size() == 1) return {out.mean, -infinite, infinite, nan, 1};
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.sd = std::sqrt(squares / (n - 1));
  const double half = student_quantile(1 - (1 - confidence) / 2, n - 1) * out.sd / std::sqrt(n);
  out.lo = out.mean - half;
  out.hi = out.mean + half;
  return out;
}

}  // namespace mlq::stats
