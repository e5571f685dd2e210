// Scales of nvfp4.h.
#pragma once

#include "kernels/block_math.h"
#include "kernels/nvfp4.h"

namespace mlq::kernels {

inline constexpr uint8_t kE4m3Eighth = 0x20;  // 0.125

// Scale byte and scale of a block: divisor 6, or 4.
struct Nvfp4Scale {
  uint8_t byte = 0;
  BlockScale scale;
};

// d of a scale byte, 0 where it is below 2^-126.
MLQ_HOST_DEVICE constexpr float nvfp4_scale_of(uint8_t byte, float g) {
  const float d = f32_from_e4m3(byte) / g;
  return magnitude_bits(d) < kSmallestNormalBits ? 0.0f : d;
}

MLQ_HOST_DEVICE constexpr Nvfp4Scale nvfp4_block_scale(float absmax, float divisor, float g) {
  const float exact = (absmax / divisor) * g;
  const uint8_t byte = e4m3_from_f32(exact);
  const float d = nvfp4_scale_of(byte, g);
  return {byte, {d, d == 0 && absmax != 0, exact > 464.0f}};  // 464 is a tie and goes to the even 448
}

}  // namespace mlq::kernels
