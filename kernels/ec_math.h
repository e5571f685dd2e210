// The code of one element of ec.h.
#pragma once

#include "kernels/block_math.h"
#include "kernels/ec.h"

namespace mlq::kernels {

// The byte or the 16-bit code is 0 for an escape, else q plus this.
inline constexpr int kEcNarrowOffset = 128, kEcWideOffset = 32768;

// x is finite.
MLQ_HOST_DEVICE constexpr unsigned ec_code(float x, float inverse, int offset) {
  const auto limit = static_cast<float>(offset);
  const int q = static_cast<int>(quantized(x, inverse, -limit, limit));
  return q == offset ? 0u : static_cast<unsigned>(q + offset);
}

MLQ_HOST_DEVICE constexpr float ec_value(unsigned code, float step, int offset) {
  return static_cast<float>(static_cast<int>(code) - offset) * step;
}

}  // namespace mlq::kernels
