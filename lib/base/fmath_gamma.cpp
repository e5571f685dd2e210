// lgamma. Approximations and intervals are those of fdlibm (e_lgamma_r.c):
//
//   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//
//   Developed at SunSoft, a Sun Microsystems, Inc. business.
//   Permission to use, copy, modify, and distribute this software is freely granted, provided that this
//   notice is preserved.
#include "lib/base/fmath.h"
#include "lib/base/fmath_detail.h"

namespace mlq::fmath {
namespace {

constexpr double pi = 0x1.921fb54442d18p+1;

// |sin(pi x)| for 0 <= x < 2^52; x - floor(x) and 1 minus it are exact.
double sine_of_pi_times(double x) {
  const double part = x - std::floor(x);
  const double y = part > 0.5 ? 1.0 - part : part;
  return y < 0.25 ? sin_near_zero({pi * y, 0.0}) : cos_near_zero({pi * (0.5 - y), 0.0});
}

// ln gamma(2 - y), without the part of -ln x that the caller knows, for y in [0, 0.27].
double below_two(double y) {
  const double z = y * y;
  const double even =
      horner(z, 7.72156649015328655494e-02, 6.73523010531292681824e-02, 7.38555086081402883957e-03,
             1.19270763183362067845e-03, 2.20862790713908385557e-04, 2.52144565451257326939e-05);
  const double odd =
      z * horner(z, 3.22467033424113591611e-01, 2.05808084325167332806e-02, 2.89051383673415629091e-03,
                 5.10069792153511336608e-04, 1.08011567247583939954e-04, 4.48640949618915160150e-05);
  return (y * even + odd) - 0.5 * y;
}

// ln gamma about its minimum, which lies at 1.4616...
constexpr double minimum = 1.46163214496836224576e+00;
double beside_minimum(double y) {
  constexpr double value = -1.21486290535849611461e-01, minus_rest = -3.63867699703950536541e-18;
  const double z = y * y;
  const double w = z * y;
  const double p1 =
      horner(w, 4.83836122723810047042e-01, -3.27885410759859649565e-02, 6.10053870246291332635e-03,
             -1.40346469989232843813e-03, 3.15632070903625950361e-04);
  const double p2 =
      horner(w, -1.47587722994593911752e-01, 1.79706750811820387126e-02, -3.68452016781138256760e-03,
             8.81081882437654011382e-04, -3.12754168375120860518e-04);
  const double p3 =
      horner(w, 6.46249402391333854778e-02, -1.03142241298341437450e-02, 2.25964780900612472250e-03,
             -5.38595305356740546715e-04, 3.35529192635519073543e-04);
  return value + (z * p1 - (minus_rest - w * (p2 + y * p3)));
}

// ln gamma(1 + y) for y in [0, 0.24].
double above_one(double y) {
  const double p =
      y * horner(y, -7.72156649015328655494e-02, 6.32827064025093366517e-01, 1.45492250137234768737e+00,
                 9.77717527963372745603e-01, 2.28963728064692451092e-01, 1.33810918536787660377e-02);
  const double q = horner(y, 1.0, 2.45597793713041134822e+00, 2.12848976379893395361e+00,
                          7.69285150456672783825e-01, 1.04222645593369134254e-01, 3.21709242282423911810e-03);
  return -0.5 * y + p / q;
}

// ln gamma(2 + y) for y in [0, 1).
double above_two(double y) {
  const double p =
      y * horner(y, -7.72156649015328655494e-02, 2.14982415960608852501e-01, 3.25778796408930981787e-01,
                 1.46350472652464452805e-01, 2.66422703033638609560e-02, 1.84028451407337715652e-03,
                 3.19475326584100867617e-05);
  const double q =
      horner(y, 1.0, 1.39200533467621045958e+00, 7.21935547567138069525e-01, 1.71933865632803078993e-01,
             1.86459191715652901344e-02, 7.77942496381893596434e-04, 7.32668430744625636189e-06);
  return 0.5 * y + p / q;
}

// a + b ln x, with the logarithm to more than a double.
double plus_log(double a, double x, double b) {
  const Sum l = log_sum(x);
  const Sum s = exact_sum(b * l.hi, a);
  return s.hi + (s.lo + b * l.lo);
}

// Stirling's series for x >= 8: (x - 1/2) (ln x - 1) + series.
double stirling(double x) {
  const double z = 1.0 / x;
  const double series =
      4.18938533204672725052e-01 + z * horner(z * z, 8.33333333333329678849e-02, -2.77777777728775536470e-03,
                                              7.93650558643019558500e-04, -5.95187557450339963135e-04,
                                              8.36339918996282139126e-04, -1.63092934096575273989e-03);
  const Sum l = log_sum(x);
  const Sum a = exact_sum(l.hi, -1.0);
  // The product of the leading parts by halves: only their last, negligible part rounds.
  const double b = x - 0.5;
  const double a_hi = upper_half(a.hi), b_hi = upper_half(b);
  const double product = a.hi * b;
  const double missing =
      ((a_hi * b_hi - product) + a_hi * (b - b_hi) + (a.hi - a_hi) * b_hi) + (a.hi - a_hi) * (b - b_hi);
  return product + (missing + (a.lo + l.lo) * b + series);
}

double positive(double x) {
  if (x == 1.0 || x == 2.0) return 0.0;
  if (x < 0x1p-70) return -log(x);
  if (x < 0.9) {  // by ln gamma(x) = ln gamma(x + 1) - ln x
    if (x >= 0.7316) return plus_log(below_two(1.0 - x), x, -1.0);
    return plus_log(x >= 0.2316 ? beside_minimum(x - (minimum - 1.0)) : above_one(x), x, -1.0);
  }
  if (x < 2.0) {
    if (x >= 1.7316) return below_two(2.0 - x);
    return x >= 1.2316 ? beside_minimum(x - minimum) : above_one(x - 1.0);
  }
  if (x < 8.0) {
    const double whole = std::floor(x);
    const double y = x - whole;
    double product = 1.0;
    for (double factor = whole - 1.0; factor >= 2.0; factor -= 1.0) product *= y + factor;
    return product == 1.0 ? above_two(y) : plus_log(above_two(y), product, 1.0);
  }
  return x < 2.556348e305 ? stirling(x) : infinity;
}

}  // namespace

double lgamma(double x) {
  if (!(x == x)) return x + x;
  if (x == infinity || x == -infinity || x == 0.0) return infinity;
  if (x > 0.0) return positive(x);
  if (x <= -0x1p52) return infinity;  // an integer
  if (x > -0x1p-70) return -log(-x);
  const double sine = sine_of_pi_times(-x);
  if (sine == 0.0) return infinity;
  return log(pi / (sine * -x)) - positive(-x);  // Gamma(x) Gamma(-x) = -pi / (x sin(pi x))
}

}  // namespace mlq::fmath
