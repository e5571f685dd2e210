// sin and cos. The polynomials are those of fdlibm (k_sin.c, k_cos.c):
//
//   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//
//   Developed at SunSoft, a Sun Microsystems, Inc. business.
//   Permission to use, copy, modify, and distribute this software is freely granted, provided that this
//   notice is preserved.
#include "lib/base/fmath.h"
#include "lib/base/fmath_detail.h"

namespace mlq::fmath {

double sin_near_zero(Sum a) {
  const double x = a.hi, y = a.lo;
  const double z = x * x;
  const double v = z * x;
  const double r =
      horner(z, 8.33333333332248946124e-03, -1.98412698298579493134e-04, 2.75573137070700676789e-06,
             -2.50507602534068634195e-08, 1.58969099521155010221e-10);
  return x - ((z * (0.5 * y - v * r) - y) - v * -1.66666666666666324348e-01);
}

double cos_near_zero(Sum a) {
  const double x = a.hi, y = a.lo;
  const double z = x * x;
  const double r =
      z * horner(z, 4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
                 -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11);
  const double half_z = 0.5 * z;
  const double w = 1.0 - half_z;
  return w + (((1.0 - w) - half_z) + (z * r - x * y));
}

namespace {

constexpr double quarter_pi = 0x1.921fb54442d18p-1;
constexpr double largest = 0x1p30;

struct Reduced {
  Sum rest;  // x - quadrant pi/2
  unsigned quadrant;
};

// pi/2 is cut into pieces of at most 23 bits, whose products with a quotient of 30 bits are exact, and a last
// one that brings it to 145 bits: no double up to 2^30 comes closer than about 2^-60 to a multiple of pi/2,
// so some 60 bits stay.
Reduced reduce(double x) {
  if (std::fabs(x) <= quarter_pi) return {{x, 0.0}, 0};
  const double shifted = x * 0x1.45f306dc9c883p-1 + round_shift;
  const double n = shifted - round_shift;
  const double exact = (x - n * 0x1.921fb4p+0) - n * 0x1.4442dp-24;
  const Sum third = exact_sum(exact, -(n * 0x1.84698p-48));
  const Sum fourth = exact_sum(third.hi, -(n * 0x1.3198ap-69));
  const double lo = (third.lo + fourth.lo) - n * 0x1.701b839a25205p-92;
  return {exact_sum(fourth.hi, lo), static_cast<unsigned>(std::bit_cast<uint64_t>(shifted)) & 3u};
}

double sine_of_quadrant(const Sum& rest, unsigned quadrant) {
  const double y = (quadrant & 1u) != 0 ? cos_near_zero(rest) : sin_near_zero(rest);
  return (quadrant & 2u) != 0 ? -y : y;
}

}  // namespace

double sin(double x) {
  if (!(std::fabs(x) <= largest)) return not_a_number;
  if (std::fabs(x) < 0x1p-27) return x;  // also keeps the sign of zero
  const Reduced r = reduce(x);
  return sine_of_quadrant(r.rest, r.quadrant);
}

double cos(double x) {
  if (!(std::fabs(x) <= largest)) return not_a_number;
  const Reduced r = reduce(x);
  return sine_of_quadrant(r.rest, r.quadrant + 1);
}

}  // namespace mlq::fmath
