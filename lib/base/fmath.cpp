// log, exp, log1p, expm1 and the normal quantile. Structure and coefficients of the first four are those of
// fdlibm (e_log.c, e_exp.c, s_log1p.c, s_expm1.c):
//
//   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//
//   Developed at SunSoft, a Sun Microsystems, Inc. business.
//   Permission to use, copy, modify, and distribute this software is freely granted, provided that this
//   notice is preserved.
#include "lib/base/fmath.h"

#include "lib/base/fmath_detail.h"

namespace mlq::fmath {

double log(double x) {
  constexpr double smallest_normal = 0x1p-1022;
  if (x >= smallest_normal && x < infinity) [[likely]]
    return log_normal_range(x);
  if (x > 0.0 && x < smallest_normal) return log_with_exponent_zero(x * 0x1p54, 0x1p52 + 1023.0 + 54.0);
  if (x == 0.0) return -infinity;
  return x < 0.0 ? not_a_number : x + x;  // infinity and NaN stay
}

double exp(double x) {
  if (std::fabs(x) <= 700.0) [[likely]]
    return exp_moderate(x);
  if (x > 709.782712893384) return infinity;
  if (x < -745.1332191019412) return 0.0;
  if (!(x == x)) return x + x;
  const double k = (x * inv_ln2 + round_shift) - round_shift;
  return scale(exp_of_reduced(x - k * ln2_hi, k * ln2_lo), static_cast<int>(k));
}

double log1p(double x) {
  if (!(x > -1.0)) return x == -1.0 ? -infinity : x < -1.0 ? not_a_number : x + x;
  if (x == infinity) return x;
  if (std::fabs(x) < 0x1p-29) return std::fabs(x) < 0x1p-54 ? x : x - x * x * 0.5;

  double k = 0.0, f = x, lost = 0.0;  // 1 + x = 2^k (1 + f) + what rounding 1 + x lost
  // Strictly inside of where k is 0, so that `lost` is never left out.
  if (x < -0.2928935 || x >= 0.4142136) {
    const double u = 1.0 + x;
    const uint64_t shifted = std::bit_cast<uint64_t>(u) + (0x3FF0000000000000u - 0x3FE6A09E00000000u);
    const int exponent = static_cast<int>(shifted >> 52) - 1023;
    k = exponent;
    f = std::bit_cast<double>((shifted & 0x000FFFFFFFFFFFFFu) + 0x3FE6A09E00000000u) - 1.0;
    // Beyond 2^54 the 1 is less than half an ulp and the lost part matters no more.
    if (exponent < 54) lost = (exponent >= 2 ? 1.0 - (u - x) : x - (u - 1.0)) / u;
  }
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double r = z * horner(z, 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                              2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                              1.479819860511658591e-01);
  const double half_f2 = 0.5 * f * f;
  if (k == 0.0) return f - (half_f2 - s * (half_f2 + r));
  return k * ln2_hi - ((half_f2 - (s * (half_f2 + r) + (k * ln2_lo + lost))) - f);
}

double expm1(double x) {
  if (std::fabs(x) < 0x1p-54) return x;
  if (x > 709.782712893384) return infinity;
  if (x < -38.9) return -1.0;  // e^x < 2^-56
  if (!(x == x)) return x + x;

  const double k =
      std::fabs(x) <= 0.5 * 0x1.62e42fefa39efp-1 ? 0.0 : (x * inv_ln2 + round_shift) - round_shift;
  const Sum a = fast_sum(x - k * ln2_hi, -(k * ln2_lo));
  const double half = 0.5 * a.hi;
  const double half_square = a.hi * half;
  const double r =
      horner(half_square, 1.0, -3.33333333333331316428e-02, 1.58730158725481460165e-03,
             -7.93650757867487942473e-05, 4.00821782732936239552e-06, -2.01099218183624371326e-07);
  const double t = 3.0 - r * half;
  const double e = half_square * ((r - t) / (6.0 - a.hi * t));
  if (k == 0.0) return a.hi - (a.hi * e - half_square);
  // e^x - 1 = 2^k (a.hi - d + 1) - 1, summed in the order that loses least.
  const double d = (a.hi * (e - a.lo) - a.lo) - half_square;
  const int n = static_cast<int>(k);
  if (n == -1) return 0.5 * (a.hi - d) - 0.5;
  if (n == 1) return a.hi < -0.25 ? -2.0 * (d - (a.hi + 0.5)) : 1.0 + 2.0 * (a.hi - d);
  if (n <= -2 || n > 56) return scale(1.0 - (d - a.hi), n) - 1.0;
  const double tiny = power_of_two(-n);
  if (n < 20) return scale((1.0 - tiny) - (d - a.hi), n);
  return scale((a.hi - (d + tiny)) + 1.0, n);
}

// The second tail of AS241: r > 5.
static double normal_quantile_far(double r) {
  const double t = r - 5.0;
  return horner(t, 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                2.71155556874348757815e-5, 2.01033439929228813265e-7) /
         horner(t, 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                2.04426310338993978564e-15);
}

// Wichura (1988), "Algorithm AS 241: the percentage points of the normal distribution", Applied
// Statistics 37.
double normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) return normal_quantile_central(p);
  const double tail = q < 0.0 ? p : 1.0 - p;
  if (!(tail > 0.0)) return tail == 0.0 ? (q < 0.0 ? -infinity : infinity) : not_a_number;
  const double r = std::sqrt(-log(tail));
  const double x = r <= 5.0 ? normal_quantile_tail(r) : normal_quantile_far(r);
  return q < 0.0 ? -x : x;
}

}  // namespace mlq::fmath
