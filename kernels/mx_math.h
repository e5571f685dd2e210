// Exponents and elements of mx.h.
#pragma once

#include "kernels/block_math.h"
#include "kernels/mx.h"

namespace mlq::kernels {

// 2^e for e in -127 ... 127, which fp32 all has (2^-127 as a subnormal number).
MLQ_HOST_DEVICE constexpr float power_of_two(int e) { return f32_from_e8m0(static_cast<uint8_t>(e + 127)); }

MLQ_HOST_DEVICE constexpr int mx_largest_exponent(MxElement element) {
  return element == MxElement::e4m3 ? 8 : 2;
}

// floor(log2 A) - emax, plus `more`, at least -127. (A subnormal A has a smaller logarithm than its exponent
// field says, but ends at -127 either way.)
MLQ_HOST_DEVICE constexpr int mx_exponent(MxElement element, float absmax, int more) {
  const int e = static_cast<int>(bits_of(absmax) >> 23) - 127 - mx_largest_exponent(element) + more;
  return e < -127 ? -127 : e;
}

// What `even` adds: 1 where the mantissa of A is 1.75 or more.
MLQ_HOST_DEVICE constexpr int mx_even_step(float absmax) {
  return (bits_of(absmax) & 0x7fffffu) >= 0x600000u ? 1 : 0;
}

MLQ_HOST_DEVICE constexpr uint8_t mx_code(MxElement element, float x, float inverse) {
  return element == MxElement::e4m3 ? e4m3_from_f32(x * inverse) : e2m1_from_f32(x * inverse);
}
MLQ_HOST_DEVICE constexpr float mx_value(MxElement element, uint8_t code, float scale) {
  return (element == MxElement::e4m3 ? f32_from_e4m3(code) : f32_from_e2m1(code)) * scale;
}

}  // namespace mlq::kernels
