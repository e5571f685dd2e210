// The branch-free cores of lib/base/fmath.h, for loops over arrays that the compiler turns into vector code:
// multiplications, additions, one division, shifts and masks of 64 bits, nothing else. The scalar functions
// call these very functions, so a value computed alone and one computed in a block have the same bits.
//
// The coefficients of log and exp and the way they are used are those of fdlibm (e_log.c, e_exp.c):
//
//   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//
//   Developed at SunSoft, a Sun Microsystems, Inc. business.
//   Permission to use, copy, modify, and distribute this software is freely granted, provided that this
//   notice is preserved.
#pragma once

#include <bit>
#include <cstdint>

#define MLQ_ALWAYS_INLINE inline __attribute__((always_inline))

namespace mlq::fmath {

// c0 + x (c1 + x (c2 + ...)), evaluated from the inside.
MLQ_ALWAYS_INLINE double horner(double, double c) { return c; }
template <class... Rest>
MLQ_ALWAYS_INLINE double horner(double x, double c, Rest... rest) {
  return c + x * horner(x, rest...);
}

// ln 2 in two parts; the first ends in 21 zero bits, so its product with an exponent is exact.
inline constexpr double ln2_hi = 0x1.62e42feep-1;
inline constexpr double ln2_lo = 0x1.a39ef35793c76p-33;
inline constexpr double inv_ln2 = 0x1.71547652b82fep+0;

// ln(x 2^(52 + 1023 - exponent_zero)) for a normal, finite, positive x. Writes x = 2^k (1 + f) with
// sqrt(1/2) <= 1 + f < sqrt(2), s = f / (2 + f), and sums ln(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)).
MLQ_ALWAYS_INLINE double log_with_exponent_zero(double x, double exponent_zero) {
  constexpr uint64_t one = 0x3FF0000000000000u;
  constexpr uint64_t sqrt_half = 0x3FE6A09E00000000u;  // its upper half
  constexpr uint64_t fraction = 0x000FFFFFFFFFFFFFu;
  constexpr uint64_t two52 = 0x4330000000000000u;
  const uint64_t shifted = std::bit_cast<uint64_t>(x) + (one - sqrt_half);
  const double k = std::bit_cast<double>((shifted >> 52) | two52) - exponent_zero;
  const double f = std::bit_cast<double>((shifted & fraction) + sqrt_half) - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double w = z * z;
  const double even =
      w * horner(w, 3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01);
  const double odd = z * horner(w, 6.666666666666735130e-01, 2.857142874366239149e-01,
                                1.818357216161805012e-01, 1.479819860511658591e-01);
  const double half_f2 = 0.5 * f * f;
  return s * (half_f2 + (odd + even)) + k * ln2_lo - half_f2 + f + k * ln2_hi;
}

// ln x for a normal, finite, positive x; any bits for other x.
MLQ_ALWAYS_INLINE double log_normal_range(double x) { return log_with_exponent_zero(x, 0x1p52 + 1023.0); }

// exp of hi - lo, |hi - lo| <= 0.35: the rational approximation 1 + 2r / (2 - c), c = r - r^2 P(r^2).
MLQ_ALWAYS_INLINE double exp_of_reduced(double hi, double lo) {
  const double r = hi - lo;
  const double t = r * r;
  const double c =
      r - t * horner(t, 1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
                     -1.65339022054652515390e-06, 4.13813679705723846039e-08);
  return 1.0 - ((lo - (r * c) / (2.0 - c)) - hi);
}

// Adding this rounds to an integer and leaves that integer in the low bits.
inline constexpr double round_shift = 0x1.8p52;

// e^x for |x| <= 700; any bits for other x.
MLQ_ALWAYS_INLINE double exp_moderate(double x) {
  const double shifted = x * inv_ln2 + round_shift;
  const double k = shifted - round_shift;
  const double scale = std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) << 52) + 0x3FF0000000000000u);
  return scale * exp_of_reduced(x - k * ln2_hi, k * ln2_lo);
}

// The standard normal quantile of p for |p - 0.5| <= 0.425 (AS241, PPND16, central part); any bits for other
// p.
MLQ_ALWAYS_INLINE double normal_quantile_central(double p) {
  const double q = p - 0.5;
  const double r = 0.180625 - q * q;
  const double num = horner(r, 3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
                            1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                            3.3430575583588128105e+4, 2.5090809287301226727e+3);
  const double den = horner(r, 1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2,
                            5.3941960214247511077e+3, 2.1213794301586595867e+4, 3.9307895800092710610e+4,
                            2.8729085735721942674e+4, 5.2264952788528545610e+3);
  return q * num / den;
}

// The same of 1 - exp(-r^2), r <= 5 (AS241, first tail; p from exp(-25) = 1.4e-11 to 0.075).
MLQ_ALWAYS_INLINE double normal_quantile_tail(double r) {
  const double t = r - 1.6;
  return horner(t, 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                2.27238449892691845833e-2, 7.74545014278341407640e-4) /
         horner(t, 1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                1.05075007164441684324e-9);
}

}  // namespace mlq::fmath
