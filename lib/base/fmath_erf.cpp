// erf and erfc. In the far tail the rational approximations are those of fdlibm (s_erf.c):
//
//   Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//
//   Developed at SunSoft, a Sun Microsystems, Inc. business.
//   Permission to use, copy, modify, and distribute this software is freely granted, provided that this
//   notice is preserved.
//
// Below 2.25 stand polynomials of our own, interpolated at Chebyshev nodes with 300 bits. Exponentials are
// carried as sums of two doubles, which keeps erfc below 1 ulp.
#include "lib/base/fmath.h"
#include "lib/base/fmath_detail.h"

namespace mlq::fmath {
namespace {

// (erf(x) - x) / x for |x| < 0.84375, in powers of x^2.
constexpr double small_limit = 0.84375;
double erf_excess(double x) {
  return horner(x * x, 0x1.06eba8214db69p-3, -0x1.812746b0379e7p-2, 0x1.ce2f21a042bcep-4,
                -0x1.b82ce312879d9p-6, 0x1.565bcd0e0a713p-8, -0x1.c02db3de79940p-11, 0x1.f9a320062f0e0p-14,
                -0x1.f4d17778e7f20p-17, 0x1.b9d3d75c58972p-20, -0x1.5e70b1605a138p-23, 0x1.eb579251b3a91p-27,
                -0x1.f5b7006b5bf91p-31);
}

// ln erfc(x) + x^2 about the middles of quarters from 0.25 to 2.25: `shift`, exact in 6 bits, and a
// polynomial.
struct Quarter {
  double shift;
  double c[11];
};
constexpr double middle_begin = 0.25, middle_end = 2.25;
constexpr Quarter middle[8] = {
    {-0.375,
     {-0x1.11636ddf8e187p-9, -0x1.ca58f683a382ap-1, 0x1.0dec0ea08ee5ap-2, -0x1.33f903c3ed5c6p-4,
      0x1.15bc6e6a05136p-6, -0x1.0cf85610b24cdp-9, -0x1.c0526d6d3b1bfp-12, 0x1.66c6564e204b3p-12,
      -0x1.a107213e0d0aap-14, 0x1.b15200a2fafbep-18, 0x1.0eee339a96360p-17}},
    {-0.578125,
     {-0x1.e4eaa825f8588p-8, -0x1.8d906d9c22a73p-1, 0x1.b4ada887e74e6p-3, -0x1.e856a10671778p-5,
      0x1.cf900d71b3cb1p-7, -0x1.30f142eca9aecp-9, 0x1.6a533766de11ep-17, 0x1.6161fe9603a6bp-13,
      -0x1.2a4364559d35dp-14, 0x1.fd7d2ce061b45p-17, 0x1.51dfa403c7c99p-23}},
    {-0.765625,
     {-0x1.9cbaa6cd36f30p-10, -0x1.5c45c2705ed3fp-1, 0x1.633e1bd2ce088p-3, -0x1.802c2794ae998p-5,
      0x1.730b0ece757d3p-7, -0x1.1904a0860975bp-9, 0x1.a51552cb55fbdp-13, 0x1.f1400d062a680p-15,
      -0x1.4a18dad1b03b5p-15, 0x1.96863886d2448p-17, -0x1.09977129fa9fap-19}},
    {-0.921875,
     {-0x1.56ac6fd164054p-8, -0x1.340713776b771p-1, 0x1.233f215d2fcedp-3, -0x1.2dd30260944a8p-5,
      0x1.2225fd10c7a2ap-7, -0x1.d647e088c596fp-10, 0x1.060bd03bf9d24p-12, 0x1.101236e99c5d4p-18,
      -0x1.29a0ba8743028p-16, 0x1.e2e63058f55bcp-18, -0x1.dd3af01d03d02p-20}},
    {-1.0625,
     {-0x1.b4a30ec5d2b60p-8, -0x1.12e4856c16bc1p-1, 0x1.e1d2512868729p-4, -0x1.dbab73ddcf1f1p-6,
      0x1.c0916854fe800p-8, -0x1.75de46f54aa73p-10, 0x1.eacf23d3ee84ap-13, -0x1.32c6eb15b38d0p-16,
      -0x1.8fa33e5e1846cp-18, 0x1.e0ae124106c56p-19, -0x1.2a7eb1f4463c1p-20}},
    {-1.203125,
     {0x1.b48e016c365dcp-8, -0x1.eeb8924843195p-2, 0x1.9249dc598ca50p-4, -0x1.78fa9a8b721b0p-6,
      0x1.59606b9a19dc7p-8, -0x1.211a66be9726ap-10, 0x1.99f921d47e96dp-13, -0x1.920cf6d430f25p-16,
      -0x1.0aa0a5fff8462p-21, 0x1.94a0fc593c0afp-20, -0x1.397e398f24af7p-21}},
    {-1.3125,
     {0x1.141c943f2b3e1p-10, -0x1.c08949d7a9e27p-2, 0x1.5309f0250d811p-4, -0x1.2cfb0a3111c0ep-6,
      0x1.0a2f76ec3d681p-8, -0x1.b8dd3475bcd16p-11, 0x1.43761ae1ab660p-13, -0x1.797667df1dd74p-16,
      0x1.a85fd7fa88445p-20, 0x1.019472bdff995p-21, -0x1.213730d503544p-22}},
    {-1.421875,
     {0x1.7da9cb95e8b59p-8, -0x1.9970851d1428ap-2, 0x1.20573723001d7p-4, -0x1.e49bac18077e2p-7,
      0x1.9c00ef3190869p-9, -0x1.4e3ae123d5aecp-11, 0x1.ef395465c714cp-14, -0x1.3954c2c48a0a4p-16,
      0x1.16b56a82ed45cp-19, 0x1.1b3af431cd9a8p-25, -0x1.cc5f1e06004f3p-24}},
};

// ln(x erfc(x)) + x^2 + 0.5625 for x >= 1.25 (used from 2.25)
double log_tail(double x) {
  const double s = 1.0 / (x * x);
  if (x < 0x1.6db6dp+1) {  // 1 / 0.35
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

// e^(hi + lo) as `value` 2^exponent, for an hi with no bit below 2^-50.
struct Scaled {
  Sum value;
  int exponent;
};
Scaled exp_of_large_sum(double hi, double lo) {
  const double k = ((hi + lo) * inv_ln2 + round_shift) - round_shift;
  return {exp_of_sum(exact_sum(hi - k * ln2_hi, lo - k * ln2_lo)), static_cast<int>(k)};
}

// erfc(x) for 0.25 <= x < 2.25
double erfc_middle(double x) {
  const int i = static_cast<int>(x * 4.0) - 1;
  const double t = x - (0.375 + 0.25 * i);
  const Quarter& q = middle[i];
  const double log_part =
      horner(t, q.c[0], q.c[1], q.c[2], q.c[3], q.c[4], q.c[5], q.c[6], q.c[7], q.c[8], q.c[9], q.c[10]);
  const double z = upper_half(x);
  const Scaled e = exp_of_large_sum(q.shift - z * z, (z - x) * (z + x) + log_part);
  return scale(e.value.hi, e.exponent);
}

// erfc(x) for 2.25 <= x < 28: exp(-x^2 - 0.5625 + log_tail(x)) / x.
double erfc_tail(double x) {
  const double z = upper_half(x);
  const Scaled e = exp_of_large_sum(-z * z - 0.5625, (z - x) * (z + x) + log_tail(x));
  // value / x with its remainder, by products of halves that are exact.
  const double q = e.value.hi / x;
  const double q_hi = upper_half(q);
  const double remainder = (((e.value.hi - q_hi * z) - q_hi * (x - z)) - (q - q_hi) * x) + e.value.lo;
  return scale(q + remainder / x, e.exponent);
}

double erfc_positive(double x) {  // x >= 0.25
  if (x < middle_end) return erfc_middle(x);
  return x < 28.0 ? erfc_tail(x) : 0.0;
}

}  // namespace

double erf(double x) {
  const double size = std::fabs(x);
  if (!(x == x)) return x + x;
  // x + x excess would lose the last bits of a subnormal.
  if (size < 0x1p-1000) return 0x1p-60 * (0x1p60 * x + 0x1p60 * x * erf_excess(0.0));
  if (size < small_limit) return x + x * erf_excess(x);
  const double result = size < 6.0 ? 1.0 - erfc_positive(size) : 1.0;
  return x < 0.0 ? -result : result;
}

double erfc(double x) {
  if (!(x == x)) return x + x;
  if (x >= middle_begin) return erfc_positive(x);
  if (x > -small_limit) return 1.0 - (x + x * erf_excess(x));
  return x > -6.0 ? 2.0 - erfc_positive(-x) : 2.0;
}

}  // namespace mlq::fmath
