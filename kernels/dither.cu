// Block integers whose codec adds and takes away offsets: two draws of Philox for eight elements, three where
// they do not begin with a draw.
#include "kernels/cuda_block_int.h"
#include "kernels/cuda_flat.h"
#include "kernels/dither_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

template <unsigned kBits>
struct DitherCodec : BlockIntCodec<kBits> {
  DitherKey key;
  uint64_t first;  // element of the tensor

  using Chosen = typename BlockIntCodec<kBits>::Chosen;
  template <class Team, class Values>
  __device__ __forceinline__ Chosen choose(const Team&, float extreme, const Values&,
                                           const BlockSpan&) const {
    return {this->scale_of(extreme)};
  }

  __device__ __forceinline__ void dither(uint64_t i, float (&v)[kUnit], float& inverse) const {
    float offset[kUnit];
    offsets(first + i, offset);
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) v[k] = dithered(v[k], inverse, offset[k]);
    inverse = 1;
  }
  __device__ __forceinline__ void undither(uint64_t i, float scale, float (&y)[kUnit]) const {
    float offset[kUnit];
    offsets(first + i, offset);
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) y[k] = undithered(y[k], offset[k], scale);
  }

 private:
  // Those of eight elements of the tensor.
  __device__ __forceinline__ void offsets(uint64_t element, float (&offset)[kUnit]) const {
    static_assert(kUnit == 2 * kDitherGroup && kDitherGroup == 4);
    const uint64_t group = element / kDitherGroup;
    const auto skipped = static_cast<unsigned>(element % kDitherGroup);
    const PhiloxCounter a = dither_words(key, group), b = dither_words(key, group + 1);
    const PhiloxCounter c = skipped == 0 ? PhiloxCounter{} : dither_words(key, group + 2);
    uint32_t word[3 * kDitherGroup] = {a.c0, a.c1, a.c2, a.c3, b.c0, b.c1,
                                       b.c2, b.c3, c.c0, c.c1, c.c2, c.c3};
    // In two steps, so that every index is a constant.
    if (skipped & 1) drop<1>(word);
    if (skipped & 2) drop<2>(word);
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) offset[k] = dither_offset_of(word[k], key.shift);
  }
  template <unsigned kMany, unsigned n>
  __device__ __forceinline__ static void drop(uint32_t (&word)[n]) {
#pragma unroll
    for (unsigned k = 0; k + kMany < n; ++k) word[k] = word[k + kMany];
  }
};

}  // namespace

void dither_encode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                        uint64_t first, Float source, const void* x, uint8_t* codes, void* scales,
                        EncodeCounts* counts, Stream stream) {
  with_bits(spec.bits, [&](auto bits) {
    const DitherCodec<bits> codec{{spec}, key, first};
    launch_encode(codec, codec, layout, source, x, codes, scales, counts, stream);
  });
}

void dither_decode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                        uint64_t first, const uint8_t* codes, const void* scales, Float target, void* out,
                        uint64_t* saturated, Stream stream) {
  with_bits(spec.bits, [&](auto bits) {
    const DitherCodec<bits> codec{{spec}, key, first};
    launch_decode(codec, codec, layout, codes, scales, target, out, saturated, stream);
  });
}

}  // namespace mlq::kernels
