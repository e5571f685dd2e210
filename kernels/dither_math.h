// The offsets and the codes of dither.h.
#pragma once

#include "kernels/block_int_math.h"
#include "kernels/dither.h"

namespace mlq::kernels {

// Elements that have their offsets from one draw.
inline constexpr unsigned kDitherGroup = 4;

// The words of elements 4 group ... 4 group + 3.
MLQ_HOST_DEVICE constexpr PhiloxCounter dither_words(const DitherKey& key, uint64_t group) {
  return philox4x32_10(
      {static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32), key.period, key.tensor}, key.philox);
}

MLQ_HOST_DEVICE constexpr float dither_offset_of(uint32_t word, float shift) {
  const float u = static_cast<float>(word >> 8) * 0x1p-24f + shift;
  return (u >= 1 ? u - 1 : u) - 0.5f;
}

// What is rounded and clamped for the code of a finite x.
MLQ_HOST_DEVICE constexpr float dithered(float x, float inverse, float offset) {
  return x * inverse + offset;
}
MLQ_HOST_DEVICE constexpr float undithered(float code, float offset, float scale) {
  return (code - offset) * scale;
}

}  // namespace mlq::kernels
