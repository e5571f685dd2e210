// Goodness-of-fit tests of `mlq-loadgen check`: is this sample what it is said to be?
//
// All take plain spans, allocate at most a copy, are deterministic and thread-safe. Where a test is said to
// need at least some n, a smaller n gives a p_value of NaN ("no verdict"): the caller reports it as skipped.
// Ties are the caller's business: the tests of continuous laws assume there are next to none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlq::stats {

struct TestResult {
  double statistic = 0;
  double p_value = 0;  // NaN: the sample is too small for this test
  double df = 0;       // degrees of freedom; 0 where there are none
  uint64_t n = 0;      // observations that went in
  // Where the statistic has p_value = 0.01; of a two-sided test, the end that the statistic is nearer to.
  double limit = 0;
};

// ---- One sample against a law that is fully known: u_k = F(x_k), sorted ascending, in [0, 1].

// The Kolmogorov-Smirnov distance D = sup |F_n(u) - u|.
double ks_distance(std::span<const double> sorted_u);
// Statistic lambda = (sqrt n + 0.12 + 0.11 / sqrt n) D, p = Q(lambda) (Stephens 1970; good from n = 5 on).
TestResult ks_uniform(std::span<const double> sorted_u);
// A^2 = -n - (1/n) sum (2i - 1) [ln u_(i) + ln(1 - u_(n+1-i))], p by anderson_darling_sf (Marsaglia and
// Marsaglia 2004). A u of exactly 0 or 1, which a continuous law gives only by rounding, counts as 1e-300
// from it, 2^-54 respectively.
double anderson_darling_statistic(std::span<const double> sorted_u);
TestResult anderson_darling_uniform(std::span<const double> sorted_u);

// ---- Exponential gaps, mean estimated from the same sample (n >= 10). `sorted` ascending, all >= 0, mean >
// 0. With the mean estimated D and A^2 come out smaller than the limits above allow for, so they have their
// own tables (Lilliefors 1969, Stephens 1974); p is interpolated, ln p linear in the statistic.

// D* = (D - 0.2/n)(sqrt n + 0.26 + 0.5/sqrt n)
TestResult ks_exponential(std::span<const double> sorted);
// A* = A^2 (1 + 0.6/n)
TestResult anderson_darling_exponential(std::span<const double> sorted);

// ---- Poisson process, rate free.

// Durbin's transform (Biometrika 1961) of n + 1 spacings that make up an interval: the sorted spacings C_(j)
// give Z_j = (n + 2 - j)(C_(j) - C_(j-1)) and S_k = (Z_1 + ... + Z_k) / T, k = 1..n. If the spacings are
// those of n points uniform on the interval, the S_k are again n sorted uniforms, and they show a wrong gap
// law far more clearly than the points did.
std::vector<double> durbin_transform(std::span<const double> spacings);
// KS of the transform against the uniform: the test of Lewis (1965), best of those compared by Kim and Whitt,
// "Choosing arrival process models for service systems" (2014). `spacings` holds n + 1 >= 2 values >= 0 with
// a positive sum.
TestResult lewis_test(std::span<const double> spacings);

// Brown et al. (J. Am. Stat. Assoc. 2005): of arrivals t_1 <= ... <= t_J in the piece (begin, end], in which
// the rate is taken as constant, Y_j = (J + 1 - j) ln((end - t_(j-1)) / (end - t_j)) are independent Exp(1),
// t_0 = begin. Appends the Y_j to `out`, which pieces may share, to be tested as exponential gaps
// (lewis_test). An arrival at `end` itself is left out.
void append_log_transform(std::span<const double> times, double begin, double end, std::vector<double>& out);

// ---- Counts and cells.

// Pearson's chi-square of `observed` counts against `expected` > 0. Cells with expected < 5 are first joined
// with their right- hand neighbours (the last with its left). df = cells - 1 - `estimated` parameters; fewer
// than 1 df: NaN.
TestResult chi_square_test(std::span<const uint64_t> observed, std::span<const double> expected,
                           unsigned estimated = 0);
// (windows - 1) idc against chi-square with windows - 1 df, two-sided (Fisher 1950): counts of a Poisson
// process have idc 1. Needs windows >= 30.
TestResult dispersion_test(double idc, uint64_t windows);

// ---- Independence, in the order observed. Needs n >= 50.

// Ljung-Box on normal scores (ranks, ties averaged, to normal quantiles of (rank - 1/2) / n), so that heavy
// tails do no harm. Lags 1 .. min(max_lag, n/5), as many df.
TestResult ljung_box(std::span<const double> values, unsigned max_lag = 50);
// Wald and Wolfowitz (1940): runs above and below the median, values equal to it left out. Statistic z,
// two-sided.
TestResult runs_test(std::span<const double> values);

// ---- Two samples, sorted ascending, of the same continuous law: KS with n m / (n + m) in place of n.
TestResult ks_two_sample(std::span<const double> sorted_a, std::span<const double> sorted_b);

// ---- Moments.

// Mean, coefficient of variation and skewness, each with its large-sample standard error by the delta method
// (the root of the mean squared influence function over n). The error of the skewness rests on sixth moments:
// under heavy tails it needs very large n to mean anything. n < 2 or no spread: what is undefined is NaN.
struct Moments {
  uint64_t n = 0;
  double mean = 0, cv = 0, skewness = 0;
  double mean_error = 0, cv_error = 0, skewness_error = 0;
};
Moments moments(std::span<const double> values);
// z = (observed - expected) / standard_error, two-sided normal. A standard error of the law under test (say
// cv / sqrt(n) for a mean) gives a truer size than one estimated from the sample.
TestResult moment_test(double observed, double expected, double standard_error, uint64_t n);

// ---- Many tests at once.

// Holm (1979): controls the chance of any false alarm at alpha. `adjusted[i]` is the p-value to compare with
// alpha (NaN for NaN, which counts as no test); `failed[i]` says that test i is rejected.
struct HolmResult {
  std::vector<double> adjusted;
  std::vector<bool> failed;
};
HolmResult holm(std::span<const double> p_values, double alpha);

}  // namespace mlq::stats
