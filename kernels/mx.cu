#include "kernels/cuda_blocks.h"
#include "kernels/mx_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

template <MxElement kElement>
struct MxCodec {
  struct Chosen {
    BlockScale scale;  // for its counts: a power of two has none
    uint8_t byte;
    float inverse;
  };
  MxScale rule;

  MLQ_HOST_DEVICE unsigned bits() const { return kElement == MxElement::e4m3 ? 8 : 4; }

  using Values = float[kMxBlock / kUnit][kUnit];

  __device__ __forceinline__ float error(const Values& v, int e) const {
    const float scale = power_of_two(e), inverse = power_of_two(-e);
    float t[kMxBlock];
#pragma unroll
    for (unsigned i = 0; i < kMxBlock; ++i) {
      const float x = v[i / kUnit][i % kUnit];
      t[i] = squared_error(mx_value(kElement, mx_code(kElement, x, inverse), scale), x);
    }
    return folded_by_thread(t);
  }

  __device__ __forceinline__ Chosen choose(const Values& v, float absmax) const {
    if (absmax == 0) return {{}, 0, 0.0f};
    int e = mx_exponent(kElement, absmax, rule == MxScale::even ? mx_even_step(absmax) : 0);
    if (rule == MxScale::best) {
      const int above = mx_exponent(kElement, absmax, 1);
      if (error(v, above) < error(v, e)) e = above;
    }
    return {{}, static_cast<uint8_t>(e + 127), power_of_two(-e)};
  }
  __device__ __forceinline__ float inverse(const Chosen& chosen) const { return chosen.inverse; }
  __device__ __forceinline__ unsigned code(float x, float inverse) const {
    return inverse == 0 ? 0 : mx_code(kElement, x, inverse);
  }
  __device__ __forceinline__ float scale_at(const void* scales, uint64_t block) const {
    return f32_from_e8m0(static_cast<const uint8_t*>(scales)[block]);
  }
  __device__ __forceinline__ float value(unsigned code, float scale) const {
    return mx_value(kElement, static_cast<uint8_t>(code), scale);
  }
  __device__ __forceinline__ uint64_t arranged(uint64_t word) const { return word; }
};

}  // namespace

void mx_encode_cuda(const MxSpec& spec, const BlockLayout& layout, Float source, const void* x,
                    uint8_t* codes, uint8_t* scales, EncodeCounts* counts, Stream stream) {
  if (layout.elems() == 0) return;
  const uint64_t ctas = ctas_for(layout.blocks());
  if (spec.element == MxElement::e4m3) {
    launch(encode_held_blocks<MxCodec<MxElement::e4m3>, kMxBlock>, ctas, stream,
           MxCodec<MxElement::e4m3>{spec.scale}, layout, source, x, codes, scales, counts);
  } else {
    launch(encode_held_blocks<MxCodec<MxElement::e2m1>, kMxBlock>, ctas, stream,
           MxCodec<MxElement::e2m1>{spec.scale}, layout, source, x, codes, scales, counts);
  }
}

void mx_decode_cuda(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                    const uint8_t* scales, Float target, void* out, uint64_t* saturated, Stream stream) {
  if (spec.element == MxElement::e4m3) {
    launch_decode_units(MxCodec<MxElement::e4m3>{spec.scale}, layout, 0, codes, scales, target, out,
                        saturated, stream);
  } else {
    launch_decode_units(MxCodec<MxElement::e2m1>{spec.scale}, layout, 0, codes, scales, target, out,
                        saturated, stream);
  }
}

}  // namespace mlq::kernels
