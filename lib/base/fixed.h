// 64.64 fixed point: unsigned 128-bit integers that count 2^-64. Sums are exact and associative, so blocks
// can be added by any number of threads, and 10^9 events lose nothing.
#pragma once

#include <bit>
#include <cstdint>

namespace mlq {

__extension__ typedef unsigned __int128 u128;

constexpr u128 kFixedOne = u128{1} << 64;
constexpr u128 kFixedMax = ~u128{0};

// A double >= 0 to fixed point; bits below 2^-64 are dropped. Saturates at 2^64 (also for infinity); NaN is
// 0.
inline u128 to_fixed(double x) {
  if (!(x > 0)) return 0;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const int exponent = static_cast<int>(bits >> 52) - 1023;  // x = mantissa * 2^(exponent - 52)
  if (exponent >= 64) return kFixedMax;
  const u128 mantissa = (bits & 0xFFFFFFFFFFFFFu) | 0x10000000000000u;  // a subnormal is far below 2^-64
  const int shift = exponent + 12;
  if (shift >= 0) return mantissa << shift;
  return shift > -64 ? mantissa >> -shift : 0;
}

inline double fixed_to_double(u128 x) {
  return static_cast<double>(static_cast<uint64_t>(x >> 64)) +
         static_cast<double>(static_cast<uint64_t>(x)) * 0x1p-64;
}

// a + b, at most kFixedMax.
inline u128 fixed_add(u128 a, u128 b) { return a > kFixedMax - b ? kFixedMax : a + b; }

// floor(a * b / 2^64) for products below 2^192; the caller knows that they are.
inline u128 fixed_multiply(u128 a, u128 b) {
  const uint64_t a0 = static_cast<uint64_t>(a);
  const uint64_t a1 = static_cast<uint64_t>(a >> 64);
  const uint64_t b0 = static_cast<uint64_t>(b);
  const uint64_t b1 = static_cast<uint64_t>(b >> 64);
  return ((u128{a0} * b0) >> 64) + u128{a0} * b1 + u128{a1} * b0 + ((u128{a1} * b1) << 64);
}

// True if a * b / 2^64 does not fit in 128 bits (or nearly not).
inline bool fixed_product_overflows(u128 a, u128 b) {
  const auto width = [](u128 x) {
    const auto high = static_cast<uint64_t>(x >> 64);
    return high != 0 ? 128 - std::countl_zero(high) : 64 - std::countl_zero(static_cast<uint64_t>(x));
  };
  return width(a) + width(b) > 191;
}

// floor(a * 2^64 / b), saturating; b > 0. The fraction is one digit of long division in base 2^64 (Knuth, The
// Art of Computer Programming 2, algorithm D): an estimate from the divisor's first digit is at most 2 too
// high.
inline u128 fixed_divide(u128 a, u128 b) {
  const u128 whole = a / b;
  if (whole >> 64 != 0) return kFixedMax;
  const int shift = b >> 64 != 0 ? std::countl_zero(static_cast<uint64_t>(b >> 64))
                                 : 64 + std::countl_zero(static_cast<uint64_t>(b));
  const u128 divisor = b << shift;
  const u128 rest = (a % b) << shift;
  const auto first = static_cast<uint64_t>(divisor >> 64);
  const auto second = static_cast<uint64_t>(divisor);
  u128 digit = static_cast<uint64_t>(rest >> 64) == first ? kFixedOne - 1 : rest / first;
  for (u128 left = rest - digit * first; left >> 64 == 0 && digit * second > left << 64; left += first)
    --digit;
  return (whole << 64) + digit;
}

}  // namespace mlq
