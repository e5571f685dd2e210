#include "kernels/float8.h"

#include "kernels/cuda_blocks.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

struct E4m3Codec {
  struct Chosen {
    BlockScale scale;
  };
  Float scale;

  MLQ_HOST_DEVICE unsigned bits() const { return 8; }
  bool searches() const { return false; }

  template <class Team>
  __device__ __forceinline__ Chosen choose(const Team&, float extreme, const StoredValues&,
                                           const BlockSpan&) const {
    const float absmax = absolute(extreme);
    return {block_scale(scale, absmax / 448.0f, absmax)};
  }
  __device__ __forceinline__ void put(void* scales, uint64_t block, const Chosen& chosen) const {
    store(scale, scales, block, chosen.scale.value);
  }
  __device__ __forceinline__ float inverse(const Chosen& chosen) const {
    return inverse_of(chosen.scale.value);
  }
  __device__ __forceinline__ unsigned code(float x, float inverse) const {
    return inverse == 0 ? 0 : e4m3_from_f32(x * inverse);
  }
  __device__ __forceinline__ float scale_at(const void* scales, uint64_t block) const {
    return load(scale, scales, block);
  }
  __device__ __forceinline__ float value(unsigned code, float by) const {
    return f32_from_e4m3(static_cast<uint8_t>(code)) * by;
  }
  __device__ __forceinline__ uint64_t arranged(uint64_t word) const { return word; }
};

// A cast; its decoder makes no product, and infinities stay what they are.
struct E5m2Codec {
  MLQ_HOST_DEVICE unsigned bits() const { return 8; }
  __device__ __forceinline__ unsigned code(float x, float) const { return e5m2_from_f32(x); }
  __device__ __forceinline__ uint64_t arranged(uint64_t word) const { return word; }
};

MLQ_KERNEL decode_e5m2(uint64_t elems, const uint8_t* codes, Float target, void* out) {
  const uint64_t units = divided_up(elems, kUnit);
  for (uint64_t u = grid_thread(); u < units; u += grid_threads()) {
    const uint64_t i = u * kUnit;
    const auto n = static_cast<unsigned>(elems - i < kUnit ? elems - i : kUnit);
    const uint64_t word = load_bytes(codes + i, n);
    float v[kUnit];
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) v[k] = f32_from_e5m2(static_cast<uint8_t>(word >> (8 * k)));
    store_floats(target, out, i, n, v);
  }
}

constexpr BlockLayout flat(uint64_t elems) { return {1, elems, elems}; }

}  // namespace

void float8_encode_cuda(const Float8Spec& spec, const BlockLayout& layout, Float source, const void* x,
                        uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream) {
  if (spec.type == Float8::e5m2) {
    const BlockLayout all = flat(layout.elems());
    launch(encode_units<E5m2Codec>, ctas_for(units_of(all)), stream, E5m2Codec{}, all, source, x, 1.0f, codes,
           counts);
  } else {
    launch_encode_blocks(E4m3Codec{spec.scale}, layout, 0, source, x, codes, scales, counts, stream);
  }
}

void float8_encode_scaled_cuda(uint64_t elems, Float source, const void* x, float scale, uint8_t* codes,
                               EncodeCounts* counts, Stream stream) {
  const BlockLayout all = flat(elems);
  launch(encode_units<E4m3Codec>, ctas_for(units_of(all)), stream, E4m3Codec{Float::f32}, all, source, x,
         inverse_of(scale), codes, counts);
}

void float8_decode_cuda(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                        const void* scales, Float target, void* out, uint64_t* saturated, Stream stream) {
  if (spec.type == Float8::e5m2) {
    launch(decode_e5m2, ctas_for(divided_up(layout.elems(), kUnit)), stream, layout.elems(), codes, target,
           out);
  } else {
    launch_decode_units(E4m3Codec{spec.scale}, layout, 0, codes, scales, target, out, saturated, stream);
  }
}

}  // namespace mlq::kernels
