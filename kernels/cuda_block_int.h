// Block integers as a codec of cuda_blocks.h and cuda_flat.h.
#pragma once

#include "kernels/block_int_math.h"
#include "kernels/cuda_blocks.h"

namespace mlq::kernels::cuda {

// kBits = 0: as the spec says.
template <unsigned kBits>
struct BlockIntCodec {
  static constexpr unsigned kCodeBits = kBits;
  struct Chosen {
    BlockScale scale;
  };
  BlockIntSpec spec;

  MLQ_HOST_DEVICE unsigned bits() const { return kCodeBits == 0 ? spec.bits : kCodeBits; }
  bool searches() const { return spec.grid == Grid::mse; }

  template <class Team, class Values>
  __device__ __forceinline__ Chosen choose(const Team&, float extreme, const Values& x,
                                           const BlockSpan& span) const {
    if constexpr (Team::kSize == kLanes) {
      if (spec.grid == Grid::mse) return {least_error(extreme, x, span)};
    }
    return {block_int_scale_of(spec, extreme)};
  }

  // The candidate with the least sum of squares, the first of equals.
  template <class Values>
  __device__ __forceinline__ BlockScale least_error(float extreme, const Values& x,
                                                    const BlockSpan& span) const {
    const CodeRange range = code_range(spec);
    BlockScale best;
    float least = 0;
    for (unsigned k = kMseFirst; k <= kMseLast; ++k) {
      const BlockScale scale = block_int_candidate(spec, extreme, k);
      const float inverse = inverse_of(scale.value);
      const float error = folded_by_warp<float>(padded, [&](unsigned i) {
        const float v = i < span.size ? finite_or_zero(x.at(span.first + i)) : 0.0f;
        return squared_error(quantized(v, inverse, range.low, range.high) * scale.value, v);
      });
      if (k == kMseFirst || error < least) {
        best = scale;
        least = error;
      }
    }
    return best;
  }

  __device__ __forceinline__ void put(void* scales, uint64_t block, const Chosen& chosen) const {
    store(spec.scale, scales, block, chosen.scale.value);
  }
  __device__ __forceinline__ float inverse(const Chosen& chosen) const {
    return inverse_of(chosen.scale.value);
  }
  __device__ __forceinline__ unsigned code(float x, float inverse) const {
    const CodeRange range = code_range(spec);
    const auto code = static_cast<int>(quantized(x, inverse, range.low, range.high));
    const int offset = bits() == 8 ? 0 : 1 << (bits() - 1);
    return static_cast<unsigned>(code + offset) & ((1u << bits()) - 1);
  }
  __device__ __forceinline__ float scale_at(const void* scales, uint64_t block) const {
    return load(spec.scale, scales, block);
  }
  __device__ __forceinline__ float value(unsigned code, float scale) const {
    const int offset = 1 << (bits() - 1);
    const int number = bits() == 8 ? static_cast<int8_t>(code) : static_cast<int>(code) - offset;
    return static_cast<float>(number) * scale;
  }
  __device__ __forceinline__ uint64_t arranged(uint64_t word) const { return word; }

  unsigned padded = 0;  // elements of a whole block, for mse

  // For the fast way.
  struct Nothing {};
  __device__ __forceinline__ bool wants_sign() const { return spec.grid != Grid::absmax; }
  __device__ __forceinline__ Float scale_type() const { return spec.scale; }
  __device__ __forceinline__ BlockScale scale_of(float extreme) const {
    BlockIntSpec known = spec;
    known.bits = kBits;  // a division by a power of two is none
    return block_int_scale_of(known, extreme);
  }
  __device__ __forceinline__ Nothing prepare() const { return {}; }
  __device__ __forceinline__ Nothing prepare_values() const { return {}; }

  // The codes of quantized(), but each as it stands in the low bits of a float: adding 3 * 2^22 rounds to a
  // whole number, half to even, and an even offset more changes nothing of that. No product here is NaN, so
  // fminf and fmaxf are its comparisons.
  __device__ __forceinline__ uint64_t packed(Nothing, const float (&v)[kUnit], float inverse) const {
    constexpr float kRounder = 12582912.0f + (kBits == 8 ? 0 : 1 << (kBits - 1));
    constexpr uint32_t kBase = 0x4b400000u;  // the bits of 3 * 2^22
    const CodeRange range = code_range(spec);
    uint32_t code[kUnit];
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k)
      code[k] = bits_of(fminf(fmaxf(v[k] * inverse, range.low), range.high) + kRounder);
    if constexpr (kBits == 8) {
      return uint64_t{four_bytes(code[4], code[5], code[6], code[7])} << 32 |
             four_bytes(code[0], code[1], code[2], code[3]);
    } else {
      uint32_t word = 0, surplus = 0;
#pragma unroll
      for (unsigned k = 0; k < kUnit; ++k) {
        word += code[k] << (k * kBits);
        surplus += kBase << (k * kBits);
      }
      return word - surplus;
    }
  }
  // The lowest byte of each.
  __device__ __forceinline__ static uint32_t four_bytes(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return __byte_perm(__byte_perm(a, b, 0x0040), __byte_perm(c, d, 0x0040), 0x5410);
  }

  // Whole numbers from 2^23 on are a float's low bits.
  __device__ __forceinline__ void values(Nothing, uint64_t word, float scale, float (&y)[kUnit]) const {
    constexpr uint32_t kBase = 0x4b000000u;  // the bits of 2^23
    constexpr unsigned kHalf = 1u << (kBits - 1);
    const uint64_t codes = kBits == 8 ? word ^ 0x8080808080808080ull : word;
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k)
      y[k] = (f32_from_bits(kBase | get_code(codes, kBits, k)) - (8388608.0f + kHalf)) * scale;
  }
};

template <class Visit>
void with_bits(unsigned bits, const Visit& visit) {
  switch (bits) {
    case 8:
      return visit(std::integral_constant<unsigned, 8>{});
    case 4:
      return visit(std::integral_constant<unsigned, 4>{});
    case 3:
      return visit(std::integral_constant<unsigned, 3>{});
    default:
      return visit(std::integral_constant<unsigned, 2>{});
  }
}

}  // namespace mlq::kernels::cuda
