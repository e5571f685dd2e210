// Pieces that several of the functions of lib/base/fmath.h share; not for use outside lib/base.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "lib/base/fmath_inline.h"

namespace mlq::fmath {

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// An unevaluated sum with |lo| at most an ulp or so of hi.
struct Sum {
  double hi, lo;
};

// a + b exactly, for |a| >= |b| or a = 0.
inline Sum fast_sum(double a, double b) {
  const double s = a + b;
  return {s, b - (s - a)};
}

// a + b exactly, in any order of size.
inline Sum exact_sum(double a, double b) {
  const double s = a + b;
  const double b_part = s - a;
  return {s, (a - (s - b_part)) + (b - b_part)};
}

// x with the lower half of its bits cleared: 21 significant bits, whose square and products are exact.
inline double upper_half(double x) {
  return std::bit_cast<double>(std::bit_cast<uint64_t>(x) & 0xFFFFFFFF00000000u);
}

inline double power_of_two(int k) {  // -1022 <= k <= 1023
  return std::bit_cast<double>(static_cast<uint64_t>(k + 1023) << 52);
}

// y 2^k with one rounding, for 1/4 <= |y| < 4 and |k| <= 1200.
inline double scale(double y, int k) {
  if (k > 1000) return y * 0x1p1000 * power_of_two(k - 1000);
  if (k < -1000) return y * power_of_two(k + 1000) * 0x1p-1000;
  return y * power_of_two(k);
}

// e^(a.hi + a.lo) as a sum, relative error about 2^-56, for |a.hi + a.lo| <= 0.35.
Sum exp_of_sum(Sum a);
// ln x of a positive finite x, good to about 2^-65 of itself; hi has at most 45 bits.
Sum log_sum(double x);
// sin and cos of a.hi + a.lo, |a.hi + a.lo| <= pi/4.
double sin_near_zero(Sum a);
double cos_near_zero(Sum a);

}  // namespace mlq::fmath
