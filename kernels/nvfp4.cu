#include "kernels/cuda_blocks.h"
#include "kernels/nvfp4_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

struct Nvfp4Codec {
  struct Chosen {
    BlockScale scale;
    uint8_t byte;
  };
  Nvfp4Spec spec;

  MLQ_HOST_DEVICE unsigned bits() const { return 4; }

  using Values = float[kNvfp4Block / kUnit][kUnit];

  __device__ __forceinline__ float error(const Values& v, float scale) const {
    const float inverse = inverse_of(scale);
    float t[kNvfp4Block];
#pragma unroll
    for (unsigned i = 0; i < kNvfp4Block; ++i) {
      const float x = v[i / kUnit][i % kUnit];
      t[i] = squared_error(f32_from_e2m1(e2m1_from_f32(x * inverse)) * scale, x);
    }
    return folded_by_thread(t);
  }

  __device__ __forceinline__ Chosen choose(const Values& v, float absmax) const {
    Nvfp4Scale best = nvfp4_block_scale(absmax, 6, spec.g);
    if (spec.four_or_six) {
      const Nvfp4Scale four = nvfp4_block_scale(absmax, 4, spec.g);
      if (error(v, four.scale.value) < error(v, best.scale.value)) best = four;
    }
    return {best.scale, absmax == 0 && spec.zero_scale_as_eighth ? kE4m3Eighth : best.byte};
  }
  __device__ __forceinline__ float inverse(const Chosen& chosen) const {
    return inverse_of(chosen.scale.value);
  }
  __device__ __forceinline__ unsigned code(float x, float inverse) const {
    return inverse == 0 ? 0 : e2m1_from_f32(x * inverse);
  }
  __device__ __forceinline__ float scale_at(const void* scales, uint64_t block) const {
    return nvfp4_scale_of(static_cast<const uint8_t*>(scales)[block], spec.g);
  }
  __device__ __forceinline__ float value(unsigned code, float scale) const {
    return f32_from_e2m1(static_cast<uint8_t>(code)) * scale;
  }
  __device__ __forceinline__ uint64_t arranged(uint64_t word) const { return word; }
};

}  // namespace

void nvfp4_encode_cuda(const Nvfp4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                       uint8_t* codes, uint8_t* scales, EncodeCounts* counts, Stream stream) {
  if (layout.elems() == 0) return;
  launch(encode_held_blocks<Nvfp4Codec, kNvfp4Block>, ctas_for(layout.blocks()), stream, Nvfp4Codec{spec},
         layout, source, x, codes, scales, counts);
}

void nvfp4_decode_cuda(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                       const uint8_t* scales, Float target, void* out, uint64_t* saturated, Stream stream) {
  launch_decode_units(Nvfp4Codec{spec}, layout, 0, codes, scales, target, out, saturated, stream);
}

}  // namespace mlq::kernels
