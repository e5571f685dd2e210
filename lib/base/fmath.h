// Elementary functions with the same bits on every machine: strict IEEE double, no libm, no FMA.
// Errors are below 1 ulp (measured by tests/base/fmath_test.cpp against 113-bit references). Thread-safe, no errno,
// no floating-point exceptions are promised. The special values are those of C99 Annex F.
#pragma once

namespace mlq::fmath {

double log(double x);
double exp(double x);
double log1p(double x);
double expm1(double x);
double pow(double x, double y);
double lgamma(double x);  // natural logarithm of |gamma(x)|; |error| <= 2 ulp or 2e-16 near the zeros at 1 and 2
double sin(double x);     // |x| <= 2^30; NaN beyond
double cos(double x);     // as sin
double erfc(double x);
double erf(double x);
// Standard normal quantile, algorithm AS241 PPND16 (Wichura 1988): relative error about 1e-16, monotone in p.
double normal_quantile(double p);

}  // namespace mlq::fmath
