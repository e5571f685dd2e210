// Conversions between float formats in integer arithmetic, so that host and device give the same bits
// whatever their rounding mode, flush mode and compiler. All round to nearest, ties to even. NaN stays NaN
// (quiet, sign kept, payload not; from bfloat16, which is the upper half of an fp32, as it is). Formats: IEEE
// 754 binary16; bfloat16; E4M3 and E5M2 of the OCP 8-bit floating point specification (E4M3 has no infinity,
// largest 448); E2M1 and E8M0 of OCP Microscaling Formats 1.0. Pure functions, thread-safe.
#pragma once

#include <cstdint>

#include "kernels/layout.h"

namespace mlq::kernels {

MLQ_HOST_DEVICE constexpr float f32_from_bits(uint32_t bits) { return __builtin_bit_cast(float, bits); }
MLQ_HOST_DEVICE constexpr uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
MLQ_HOST_DEVICE constexpr uint32_t magnitude_bits(float x) { return bits_of(x) & 0x7fffffffu; }
MLQ_HOST_DEVICE constexpr bool is_finite(float x) { return magnitude_bits(x) < 0x7f800000u; }

namespace detail {

// The bits of a non-negative finite fp32 number, rounded to a format of so many mantissa bits and that
// exponent bias, as if its exponents had no upper end.
template <unsigned kMantissa, unsigned kBias>
MLQ_HOST_DEVICE constexpr uint32_t narrow_magnitude(uint32_t bits) {
  constexpr unsigned kShift = 23 - kMantissa;
  constexpr uint32_t kFirstNormal = 128 - kBias;  // the exponent field, in fp32, of the smallest normal
  const uint32_t exponent = bits >> 23;
  if (exponent >= kFirstNormal) {
    const uint32_t half = (1u << (kShift - 1)) - 1 + ((bits >> kShift) & 1u);
    return (bits + half - ((kFirstNormal - 1) << 23)) >> kShift;
  }
  const unsigned shift = kShift + kFirstNormal - exponent;
  if (shift > 24) return 0;  // less than half of the smallest number
  const uint32_t mantissa = (bits & 0x7fffffu) | 0x800000u;
  return (mantissa + (1u << (shift - 1)) - 1 + ((mantissa >> shift) & 1u)) >> shift;
}

// The other way, exactly.
template <unsigned kMantissa, unsigned kBias>
MLQ_HOST_DEVICE constexpr uint32_t widen_magnitude(uint32_t bits) {
  constexpr uint32_t kFirstNormal = 128 - kBias;
  if (bits >> kMantissa) return (bits << (23 - kMantissa)) + ((kFirstNormal - 1) << 23);
  if (bits == 0) return 0;
  // A subnormal number: its leading one becomes the implicit bit.
  uint32_t exponent = kFirstNormal;
  while (!(bits >> kMantissa)) {
    bits <<= 1;
    --exponent;
  }
  return (exponent << 23) | ((bits << (23 - kMantissa)) & 0x7fffffu);
}

}  // namespace detail

MLQ_HOST_DEVICE constexpr float f32_from_bf16(uint16_t x) { return f32_from_bits(uint32_t{x} << 16); }

MLQ_HOST_DEVICE constexpr float f32_from_f16(uint16_t x) {
  const uint32_t sign = (x & 0x8000u) << 16, magnitude = x & 0x7fffu;
  if (magnitude > 0x7c00u) return f32_from_bits(sign | 0x7fc00000u);
  if (magnitude == 0x7c00u) return f32_from_bits(sign | 0x7f800000u);
  return f32_from_bits(sign | detail::widen_magnitude<10, 15>(magnitude));
}

MLQ_HOST_DEVICE constexpr float f32_from_e4m3(uint8_t x) {
  const uint32_t sign = (x & 0x80u) << 24, magnitude = x & 0x7fu;
  if (magnitude == 0x7fu) return f32_from_bits(sign | 0x7fc00000u);
  return f32_from_bits(sign | detail::widen_magnitude<3, 7>(magnitude));
}

MLQ_HOST_DEVICE constexpr float f32_from_e5m2(uint8_t x) {
  const uint32_t sign = (x & 0x80u) << 24, magnitude = x & 0x7fu;
  if (magnitude > 0x7cu) return f32_from_bits(sign | 0x7fc00000u);
  if (magnitude == 0x7cu) return f32_from_bits(sign | 0x7f800000u);
  return f32_from_bits(sign | detail::widen_magnitude<2, 15>(magnitude));
}

// The low 4 bits.
MLQ_HOST_DEVICE constexpr float f32_from_e2m1(uint8_t x) {
  return f32_from_bits(((x & 8u) << 28) | detail::widen_magnitude<1, 1>(x & 7u));
}

// 2^(x - 127); 255 is NaN.
MLQ_HOST_DEVICE constexpr float f32_from_e8m0(uint8_t x) {
  return f32_from_bits(x == 255 ? 0x7fc00000u : x == 0 ? 0x00400000u : uint32_t{x} << 23);
}

// Finite values beyond the largest finite one become that (saturating); infinities stay where the format has
// them, in E4M3 they become 448.
MLQ_HOST_DEVICE constexpr uint16_t bf16_from_f32(float x) {
  const uint32_t bits = bits_of(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7fc0u);
  if (magnitude == 0x7f800000u) return static_cast<uint16_t>(sign | 0x7f80u);
  const uint32_t rounded = (magnitude + 0x7fffu + ((magnitude >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>(sign | (rounded < 0x7f80u ? rounded : 0x7f7fu));
}

MLQ_HOST_DEVICE constexpr uint16_t f16_from_f32(float x) {
  const uint32_t bits = bits_of(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude == 0x7f800000u) return static_cast<uint16_t>(sign | 0x7c00u);
  const uint32_t rounded = detail::narrow_magnitude<10, 15>(magnitude);
  return static_cast<uint16_t>(sign | (rounded < 0x7c00u ? rounded : 0x7bffu));
}

MLQ_HOST_DEVICE constexpr uint8_t e4m3_from_f32(float x) {
  const uint32_t bits = bits_of(x), sign = (bits >> 24) & 0x80u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint8_t>(sign | 0x7fu);
  const uint32_t rounded = detail::narrow_magnitude<3, 7>(magnitude);
  return static_cast<uint8_t>(sign | (rounded < 0x7fu ? rounded : 0x7eu));
}

MLQ_HOST_DEVICE constexpr uint8_t e5m2_from_f32(float x) {
  const uint32_t bits = bits_of(x), sign = (bits >> 24) & 0x80u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint8_t>(sign | 0x7eu);
  if (magnitude == 0x7f800000u) return static_cast<uint8_t>(sign | 0x7cu);
  const uint32_t rounded = detail::narrow_magnitude<2, 15>(magnitude);
  return static_cast<uint8_t>(sign | (rounded < 0x7cu ? rounded : 0x7bu));
}

// Saturates at 6, infinities too; NaN becomes +0; -0 keeps its sign.
MLQ_HOST_DEVICE constexpr uint8_t e2m1_from_f32(float x) {
  const uint32_t bits = bits_of(x), sign = (bits >> 28) & 8u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0;
  const uint32_t rounded = detail::narrow_magnitude<1, 1>(magnitude);
  return static_cast<uint8_t>(sign | (rounded < 7u ? rounded : 7u));
}

// True where the conversion of a finite x saturates.
MLQ_HOST_DEVICE constexpr bool saturates_bf16(float x) {
  return magnitude_bits(x) >= 0x7f7f8000u && is_finite(x);
}
MLQ_HOST_DEVICE constexpr bool saturates_f16(float x) {
  return magnitude_bits(x) >= 0x477ff000u && is_finite(x);
}
MLQ_HOST_DEVICE constexpr bool saturates(Float type, float x) {
  return type == Float::f16 ? saturates_f16(x) : type == Float::bf16 && saturates_bf16(x);
}

// x rounded to the precision of `type`, saturating.
MLQ_HOST_DEVICE constexpr float rounded_to(Float type, float x) {
  return type == Float::f32   ? x
         : type == Float::f16 ? f32_from_f16(f16_from_f32(x))
                              : f32_from_bf16(bf16_from_f32(x));
}

// Element i of an array of `type`, widened exactly; the value put there, rounded.
MLQ_HOST_DEVICE float load(Float type, const void* array, uint64_t i) {
  if (type == Float::f32) return static_cast<const float*>(array)[i];
  const uint16_t bits = static_cast<const uint16_t*>(array)[i];
  return type == Float::f16 ? f32_from_f16(bits) : f32_from_bf16(bits);
}
MLQ_HOST_DEVICE void store(Float type, void* array, uint64_t i, float x) {
  if (type == Float::f32) {
    static_cast<float*>(array)[i] = x;
  } else {
    static_cast<uint16_t*>(array)[i] = type == Float::f16 ? f16_from_f32(x) : bf16_from_f32(x);
  }
}

}  // namespace mlq::kernels
