// Intervals of a mean from few values. Pure functions, thread-safe; no libm.
#pragma once

#include <cstdint>
#include <span>

namespace mlq::stats {

// P(T <= t) and its inverse (0 < p < 1) for Student's t with df > 0 degrees of freedom, by the incomplete
// beta function (DLMF 8.17, Abramowitz and Stegun 26.7.1). The quantile to 1e-10 relative.
double student_cdf(double t, double df);
double student_quantile(double p, double df);

// Mean with a two-sided Student interval. Of one value the bounds are infinite; of none all is NaN.
struct MeanInterval {
  double mean = 0, lo = 0, hi = 0, sd = 0;
  uint64_t n = 0;
};
MeanInterval mean_interval(std::span<const double> values, double confidence = 0.95);

}  // namespace mlq::stats
