// The arithmetic of an element of feedback.h.
#pragma once

#include "kernels/block_math.h"
#include "kernels/feedback.h"

namespace mlq::kernels {

inline constexpr uint32_t kUnfitBits = 0x7fc00000u;

MLQ_HOST_DEVICE constexpr float compensated(float w, float beta, float residual) {
  const float x = w + beta * residual;
  return is_finite(x) ? x : f32_from_bits(kUnfitBits);
}
MLQ_HOST_DEVICE constexpr float residual_of(float x, float held) { return finite_or_zero(x) - held; }

}  // namespace mlq::kernels
