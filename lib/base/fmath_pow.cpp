// pow, and e to an unevaluated sum. Method and coefficients are those of fdlibm (e_pow.c): log2 |x| as a sum
// of two doubles, times y, and two to that.
//
//   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//
//   Developed at SunSoft, a Sun Microsystems, Inc. business.
//   Permission to use, copy, modify, and distribute this software is freely granted, provided that this
//   notice is preserved.
#include "lib/base/fmath.h"
#include "lib/base/fmath_detail.h"

namespace mlq::fmath {

Sum exp_of_sum(Sum a) {
  const Sum x = fast_sum(a.hi, a.lo);
  const double z = x.hi, w = x.lo;
  const double t = z * z;
  const double c =
      z - t * horner(t, 1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05,
                     -1.65339022054652515390e-06, 4.13813679705723846039e-08);
  const double rest = (w + z * w) - (z * c) / (c - 2.0);  // e^(z + w) = 1 + z + rest
  const Sum first = fast_sum(1.0, z);
  const Sum both = exact_sum(first.hi, rest);
  return fast_sum(both.hi, both.lo + first.lo);
}

namespace {

// ln 2 rounded, and in two parts of which the first has 24 bits.
constexpr double ln2 = 6.93147180559945286227e-01, ln2_upper = 6.93147182464599609375e-01,
                 ln2_lower = -1.90465429995776804525e-09;

enum class Integer { no, odd, even };

Integer integer_kind(double y) {
  const double size = std::fabs(y);
  if (size >= 0x1p53) return Integer::even;
  if (std::floor(size) != size) return Integer::no;
  return std::floor(size * 0.5) == size * 0.5 ? Integer::even : Integer::odd;
}

// pow where an argument is NaN, infinite or zero, or x is negative with a y that is no integer; C99 F.9.4.4.
bool is_special(double x, double y) {
  return !(std::fabs(x) < infinity) || !(std::fabs(y) < infinity) || x == 0.0 || y == 0.0 ||
         std::fabs(x) == 1.0;
}

double special_pow(double x, double y) {
  if (y == 0.0 || x == 1.0) return 1.0;
  if (!(x == x) || !(y == y)) return x + y;
  const double size = std::fabs(x);
  if (std::fabs(y) == infinity) {
    if (size == 1.0) return 1.0;
    return (size > 1.0) == (y > 0.0) ? infinity : 0.0;
  }
  const Integer kind = integer_kind(y);
  if (x == -1.0) return kind == Integer::no ? not_a_number : kind == Integer::odd ? -1.0 : 1.0;
  const double result = (size == 0.0) == (y < 0.0) ? infinity : 0.0;  // x is 0 or infinite
  return std::signbit(x) && kind == Integer::odd ? -result : result;
}

// log2 of a positive finite x; the upper part has 21 bits, the sum is good to about 2^-68 of itself.
Sum log2_sum(double x) {
  int exponent = 0;
  if (x < 0x1p-1022) {
    x *= 0x1p54;
    exponent = -54;
  }
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const uint64_t fraction = bits & 0x000FFFFFFFFFFFFFu;
  exponent += static_cast<int>(bits >> 52) - 1023;
  // m in [sqrt(3)/2, sqrt(3)) is brought near 1 or, above sqrt(3/2), near 3/2.
  double m = std::bit_cast<double>(fraction | 0x3FF0000000000000u);
  double base = 1.0, log2_base_hi = 0.0, log2_base_lo = 0.0;
  if (fraction >= 0xBB67A00000000u) {
    m *= 0.5;
    ++exponent;
  } else if (fraction > 0x3988EFFFFFFFFu) {
    base = 1.5;
    log2_base_hi = 5.84962487220764160156e-01;
    log2_base_lo = 1.35003920212974897128e-08;
  }
  // s = (m - base) / (m + base) as s_hi + s_lo.
  const double u = m - base;
  const double v = 1.0 / (m + base);
  const double s = u * v;
  const double s_hi = upper_half(s);
  const double sum_hi = upper_half(m + base);
  const double sum_lo = m - (sum_hi - base);
  const double s_lo = v * ((u - s_hi * sum_hi) - s_hi * sum_lo);
  // ln(m / base) = 2/3 s (3 + s^2 + ...)
  const double s2 = s * s;
  const double series =
      s2 * s2 *
          horner(s2, 5.99999999999994648725e-01, 4.28571428578550184252e-01, 3.33333329818377432918e-01,
                 2.72728123808534006489e-01, 2.30660745775561754067e-01, 2.06975017800338417784e-01) +
      s_lo * (s_hi + s);
  const double square = s_hi * s_hi;
  const double t_hi = upper_half(3.0 + square + series);
  const double t_lo = series - ((t_hi - 3.0) - square);
  const double p = s_hi * t_hi;
  const double q = s_lo * t_hi + t_lo * s;
  const double p_hi = upper_half(p + q);
  const double p_lo = q - (p_hi - p);
  // times 2 / (3 ln 2), which is `c_hi` + `c_lo`
  constexpr double c = 9.61796693925975554329e-01, c_hi = 9.61796700954437255859e-01,
                   c_lo = -7.02846165095275826516e-09;
  const double z_hi = c_hi * p_hi;
  const double z_lo = c_lo * p_hi + p_lo * c + log2_base_lo;
  const double n = exponent;
  const double hi = upper_half(((z_hi + z_lo) + log2_base_hi) + n);
  return {hi, z_lo - (((hi - n) - log2_base_hi) - z_hi)};
}

// 2^(a.hi + a.lo)
double exp2_of_sum(double hi, double lo) {
  const double whole = hi + lo;
  if (whole >= 1025.0) return infinity;
  if (whole <= -1077.0) return 0.0;
  const double k = (whole + round_shift) - round_shift;
  const double rest = hi - k;
  const double t = upper_half(rest + lo);
  const Sum e = exp_of_sum({t * ln2_upper, (lo - (t - rest)) * ln2 + t * ln2_lower});
  return scale(e.hi, static_cast<int>(k));
}

}  // namespace

Sum log_sum(double x) {
  const Sum l = log2_sum(x);
  return {l.hi * ln2_upper, l.hi * ln2_lower + l.lo * ln2};
}

double pow(double x, double y) {
  if (is_special(x, y)) return special_pow(x, y);
  if (y == 1.0) return x;
  const Integer kind = x < 0.0 ? integer_kind(y) : Integer::even;
  if (kind == Integer::no) return not_a_number;
  const double sign = kind == Integer::odd ? -1.0 : 1.0;
  // Beyond 2^65 every x but 1 overflows or underflows, and the products below stay finite.
  if (std::fabs(y) > 0x1p65) return (std::fabs(x) > 1.0) == (y > 0.0) ? sign * infinity : sign * 0.0;
  const Sum l = log2_sum(std::fabs(x));
  const double y_hi = upper_half(y);
  return sign * exp2_of_sum(y_hi * l.hi, (y - y_hi) * l.hi + y * l.lo);
}

}  // namespace mlq::fmath
