// The arithmetic of one element or one block that the formats have in common, shared by the CPU twins and the
// device. fp32, one rounding an operation. Pure functions, thread-safe.
#pragma once

#include "kernels/float_convert.h"

namespace mlq::kernels {

inline constexpr uint32_t kSmallestNormalBits = 0x00800000u;  // 2^-126
inline constexpr float kLargestFloat = 3.40282346638528859812e38f;

// What encoders take an element for: NaN and infinities are +0.
MLQ_HOST_DEVICE constexpr float finite_or_zero(float x) { return is_finite(x) ? x : 0.0f; }

MLQ_HOST_DEVICE constexpr float absolute(float x) { return f32_from_bits(magnitude_bits(x)); }

// Nearest integer, ties to even, for |x| <= 2^22: the sum has no bits left for a fraction.
MLQ_HOST_DEVICE constexpr float round_half_even(float x) { return (x + 12582912.0f) - 12582912.0f; }

// A scale and what happened to it. Below 2^-126 it is 0, so that 1 / 0 and subnormal factors never arise.
struct BlockScale {
  float value = 0;        // of its type's precision
  bool flushed = false;   // the block is not all zero, and yet this is 0
  bool overflow = false;  // it was cut to the largest finite value of its type
};

MLQ_HOST_DEVICE constexpr BlockScale block_scale(Float type, float exact, float absmax) {
  const float rounded = rounded_to(type, exact);
  const bool tiny = magnitude_bits(rounded) < kSmallestNormalBits;
  return {tiny ? 0.0f : rounded, tiny && absmax != 0, saturates(type, exact)};
}

// The factor of a block's elements: with 0, every code is that of 0.
MLQ_HOST_DEVICE constexpr float inverse_of(float scale) { return scale == 0 ? 0.0f : 1.0f / scale; }

// clamp(round_half_even(x * inverse)) for integers low, high of at most 2^22: clamped first.
MLQ_HOST_DEVICE constexpr float quantized(float x, float inverse, float low, float high) {
  const float v = x * inverse;
  return round_half_even(v < low ? low : v > high ? high : v);
}

// (decoded - x)^2 as the search for a scale sums it.
MLQ_HOST_DEVICE constexpr float squared_error(float decoded, float x) {
  const float e = decoded - x;
  return e * e;
}

// Stores a decoded value, the product of two finite numbers, rounded to `type`. True if it was cut to the
// type's largest: then it may be infinite only because fp32 ends there.
MLQ_HOST_DEVICE bool store_decoded(Float type, void* out, uint64_t i, float y) {
  const bool infinite = magnitude_bits(y) == 0x7f800000u;
  if (infinite) y = y < 0 ? -kLargestFloat : kLargestFloat;
  store(type, out, i, y);
  return infinite || saturates(type, y);
}

}  // namespace mlq::kernels
