// Estimators of the Hurst parameter H of a stationary series (say counts per window): 0.5 without long
// memory, towards 1 with it.
//
// All are deterministic and thread-safe. A series that is too short (below kHurstMinimum, or constant) gives
// NaN throughout. Which to believe: local Whittle and wavelet are consistent, have intervals from theory, and
// are within 0.02 of the truth on fractional Gaussian noise; R/S and variance-time are drawn because
// everybody knows them, but are biased: see below.
#pragma once

#include <cstddef>
#include <span>

namespace mlq::stats {

inline constexpr size_t kHurstMinimum = 1024;

struct HurstEstimate {
  double h = 0;
  double lo = 0, hi = 0;  // 95%
};

// Local Whittle (Robinson, Ann. Stat. 1995): minimises ln((1/m) sum l_j^(2H-1) I_j) - (2H-1)/m sum ln l_j
// over H in [0.01, 0.999], with the periodogram I at the first m = n^0.65 frequencies; standard error 1/(2
// sqrt m). Uses the first 2^k values, the largest power of two, at most 2^23.
HurstEstimate hurst_local_whittle(std::span<const double> x);

// Wavelet regression (Abry and Veitch, IEEE Trans. Inf. Theory 1998; Veitch and Abry 1999): Daubechies
// wavelet of 3 vanishing moments, which ignores linear and quadratic trends; weighted regression of log2 of
// the mean squared detail on the octave, from octave 4 (below it noise sampled in steps is no power law) to
// the last with 8 coefficients, with their bias correction; H = (slope + 1)/2, interval from the weights.
HurstEstimate hurst_wavelet(std::span<const double> x);

// Variance-time: slope of ln Var of means over blocks of m against ln m is 2H - 2; m from 8 to n/128, four an
// octave. The sample variance of dependent means is too small, so H comes out low for H near 1: at 0.9 by
// 0.02 for 2^20 values, by 0.04 for 2^14.
HurstEstimate hurst_variance_time(std::span<const double> x);

// Rescaled range (Hurst 1951): slope of ln(R/S) over disjoint blocks of m against ln m, m from 64 to n/16,
// two an octave, less the slope that independent values have at these sizes (Anis and Lloyd 1976; Weron
// 2002), plus 1/2. Biased towards 0.5: at H = 0.9 by 0.04 for 2^20 values, by 0.07 for 2^14.
//
// Of these two, with fewer than 4,096 values the blocks begin at 2 and 16 and end at n/8 and n/2. Their
// interval: the series is cut into 8 parts, each is estimated alone, and the spread of these gives a standard
// error of the mean (Student, 7 df). It covers chance, not bias, and is NaN where a part is constant.
HurstEstimate hurst_rescaled_range(std::span<const double> x);

}  // namespace mlq::stats
