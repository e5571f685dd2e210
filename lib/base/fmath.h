// Elementary functions with the same bits on every machine: strict IEEE double, no libm, no FMA.
// Errors are below 1 ulp but where said otherwise (tests/base/fmath_test.cpp). Thread-safe, no
// errno, no floating-point exceptions are promised. The special values are those of C99 Annex F.
#pragma once

namespace mlq::fmath {

double log(double x);
double exp(double x);
double log1p(double x);
double expm1(double x);
double pow(double x, double y);
// ln |gamma(x)|: |error| <= 2 ulp for x > 0; for x < 0, where large terms cancel, below 1e-15 (1 + |x ln |x||
// + |value|).
double lgamma(double x);
double sin(double x);  // |x| <= 2^30; NaN beyond
double cos(double x);  // as sin
double erfc(double x);
double erf(double x);
// Standard normal quantile, algorithm AS241 PPND16 (Wichura 1988): |error| <= 8 ulp,
// so rising with p but for the last places.
// 0 and 1 give -infinity and infinity, p outside NaN.
double normal_quantile(double p);

}  // namespace mlq::fmath
