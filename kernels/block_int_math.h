// The scale rules and ranges of block_int.h.
#pragma once

#include "kernels/block_int.h"
#include "kernels/block_math.h"

namespace mlq::kernels {

// The candidates of mse: k / 32 of the sign grid's scale.
inline constexpr unsigned kMseFirst = 16, kMseLast = 47;
inline constexpr uint64_t kMseLargestBlock = 16384;

struct CodeRange {
  float low, high;
};

MLQ_HOST_DEVICE constexpr float half_range(unsigned bits) {
  return static_cast<float>(1 << (bits - 1));  // 2^(bits-1)
}
MLQ_HOST_DEVICE constexpr CodeRange code_range(const BlockIntSpec& spec) {
  const float q = half_range(spec.bits) - 1;
  return {spec.grid == Grid::absmax ? -q : -q - 1, q};
}

// The block's scale by the absmax or sign grid; `extreme` is the first element with the largest magnitude.
MLQ_HOST_DEVICE constexpr BlockScale block_int_scale_of(const BlockIntSpec& spec, float extreme) {
  const float half = half_range(spec.bits), absmax = absolute(extreme);
  const bool by_absmax = spec.grid == Grid::absmax || (spec.positive_scales && extreme > 0);
  return block_scale(spec.scale, by_absmax ? absmax / (half - 1) : extreme / -half, absmax);
}

// Candidate k of the mse grid, kMseFirst ... kMseLast.
MLQ_HOST_DEVICE constexpr BlockScale block_int_candidate(const BlockIntSpec& spec, float extreme,
                                                         unsigned k) {
  const float half = half_range(spec.bits), absmax = absolute(extreme);
  const float base = spec.positive_scales ? absmax / half : extreme / -half;
  return block_scale(spec.scale, base * (static_cast<float>(k) / 32.0f), absmax);
}

}  // namespace mlq::kernels
