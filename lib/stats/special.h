// Special functions and distribution tails that tests and intervals need.
//
// Deterministic: built on mlq::fmath and sqrt alone, so p-values have the same bits on every machine.
// Relative error about 1e-12 (tests/stats/special_test.cpp, against 50-digit references) unless a function
// says otherwise. Arguments outside the stated domain give NaN. Pure functions, thread-safe. Time is
// O(sqrt(a)) where a is the largest parameter.
#pragma once

#include <cstdint>

namespace mlq::stats {

// Regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x), a > 0, x >= 0. Series and
// continued fraction (DLMF 8.11.4, 8.9.2); the power in front by the saddle-point form of Loader, "Fast and
// accurate computation of binomial probabilities" (2000), which keeps its digits when a is large.
double gamma_p(double a, double x);
double gamma_q(double a, double x);

double chi_square_cdf(double x, double df);
double chi_square_sf(double x, double df);        // P(X > x)
double chi_square_quantile(double p, double df);  // x with chi_square_cdf(x, df) = p; 0 < p < 1
double poisson_cdf(uint64_t k, double mean);      // P(N <= k)

// Regularised incomplete beta I_x(a, b), a, b > 0, 0 <= x <= 1 (DLMF 8.17.22).
double beta_inc(double a, double b, double x);
double binomial_cdf(uint64_t k, uint64_t n, double p);  // P(Bin(n, p) <= k)

double normal_cdf(double x);
double normal_sf(double x);  // P(Z > x)

// Kolmogorov's Q(lambda) = 2 sum_j (-1)^(j-1) exp(-2 j^2 lambda^2): the limit of P(sqrt(n) D > lambda).
double kolmogorov_q(double lambda);

// P(A^2 > a2) of the Anderson-Darling statistic of n uniforms with nothing estimated. The limit n -> infinity
// is exact to 1e-13 (Anderson and Darling 1952, the integral by the trapezoidal rule); the correction to n is
// the fit of Marsaglia and Marsaglia, "Evaluating the Anderson-Darling distribution", J. Stat. Software 9(2)
// (2004): absolute error about 1e-6 for n >= 8. n = 0 asks for the limit.
double anderson_darling_sf(double a2, uint64_t n);

}  // namespace mlq::stats
