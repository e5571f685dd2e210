// erf and erfc. The rational approximations are those of fdlibm (s_erf.c); the exponential in the tail is
// carried as a sum of two doubles, which takes erfc from some 4 ulp to below 1.
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

constexpr double small_limit = 0.84375, middle_limit = 1.25,
                 far_limit = 0x1.6db6dp+1;  // the last is 1 / 0.35

// (erf(x) - x) / x for |x| < 0.84375
double erf_excess(double x) {
  const double z = x * x;
  return horner(z, 1.28379167095512558561e-01, -3.25042107247001499370e-01, -2.84817495755985104766e-02,
                -5.77027029648944159157e-03, -2.37630166566501626084e-05) /
         horner(z, 1.0, 3.97917223959155352819e-01, 6.50222499887672944485e-02, 5.08130628187576562776e-03,
                1.32494738004321644526e-04, -3.96022827877536812320e-06);
}

// erf(|x|) - erf_at_one for 0.84375 <= |x| < 1.25
constexpr double erf_at_one = 8.45062911510467529297e-01;  // to 24 bits
double erf_beside_one(double size) {
  const double s = size - 1.0;
  return horner(s, -2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
                3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
                -2.16637559486879084300e-03) /
         horner(s, 1.0, 1.06420880400844228286e-01, 5.40397917702171048937e-01, 7.18286544141962662868e-02,
                1.26171219808761642112e-01, 1.36370839120290507362e-02, 1.19844998467991074170e-02);
}

// ln(x erfc(x)) + x^2 + 0.5625 for x >= 1.25
double log_tail(double x) {
  const double s = 1.0 / (x * x);
  if (x < far_limit) {
    return horner(s, -9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01,
                  -6.23753324503260060396e+01, -1.62396669462573470355e+02, -1.84605092906711035994e+02,
                  -8.12874355063065934246e+01, -9.81432934416914548592e+00) /
           horner(s, 1.0, 1.96512716674392571292e+01, 1.37657754143519042600e+02, 4.34565877475229228821e+02,
                  6.45387271733267880336e+02, 4.29008140027567833386e+02, 1.08635005541779435134e+02,
                  6.57024977031928170135e+00, -6.04244152148580987438e-02);
  }
  return horner(s, -9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01,
                -1.60636384855821916062e+02, -6.37566443368389627722e+02, -1.02509513161107724954e+03,
                -4.83519191608651397019e+02) /
         horner(s, 1.0, 3.03380607434824582924e+01, 3.25792512996573918826e+02, 1.53672958608443695994e+03,
                3.19985821950859553908e+03, 2.55305040643316442583e+03, 4.74528541206955367215e+02,
                -2.24409524465858183362e+01);
}

// erfc(x) for 1.25 <= x < 28: exp(-x^2 - 0.5625 + log_tail(x)) / x.
double erfc_tail(double x) {
  const double z = upper_half(x);
  const double hi = -z * z - 0.5625;  // exact
  const double lo = (z - x) * (z + x) + log_tail(x);
  const double k = ((hi + lo) * inv_ln2 + round_shift) - round_shift;
  const Sum e = exp_of_sum(exact_sum(hi - k * ln2_hi, lo - k * ln2_lo));
  // e / x with its remainder, by products of halves that are exact.
  const double q = e.hi / x;
  const double q_hi = upper_half(q);
  const double remainder = (((e.hi - q_hi * z) - q_hi * (x - z)) - (q - q_hi) * x) + e.lo;
  return scale(q + remainder / x, static_cast<int>(k));
}

}  // namespace

double erf(double x) {
  const double size = std::fabs(x);
  if (!(x == x)) return x + x;
  if (size < small_limit) {
    // x + x excess would lose the last bits of a subnormal.
    return size < 0x1p-1000 ? 0x1p-60 * (0x1p60 * x + 0x1p60 * x * erf_excess(0.0)) : x + x * erf_excess(x);
  }
  double result = 1.0;
  if (size < middle_limit) {
    result = erf_at_one + erf_beside_one(size);
  } else if (size < 6.0) {
    result = 1.0 - erfc_tail(size);
  }
  return x < 0.0 ? -result : result;
}

double erfc(double x) {
  const double size = std::fabs(x);
  if (!(x == x)) return x + x;
  if (size < small_limit) {
    const double excess = x * erf_excess(x);
    return x < 0.25 ? 1.0 - (x + excess) : 0.5 - (excess + (x - 0.5));
  }
  if (size < middle_limit) {
    const double beside = erf_beside_one(size);
    return x < 0.0 ? 1.0 + (erf_at_one + beside) : (1.0 - erf_at_one) - beside;
  }
  if (x < 0.0) return size < 6.0 ? 2.0 - erfc_tail(size) : 2.0;
  return size < 28.0 ? erfc_tail(size) : 0.0;
}

}  // namespace mlq::fmath
