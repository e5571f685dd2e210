#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/nvfp4_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/nvfp4_math.h"
#include "kernels/simd_blocks-inl.h"
#include "kernels/simd_e2m1-inl.h"
#include "kernels/simd_tables-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void Nvfp4Encode(const Nvfp4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                 uint8_t* codes, uint8_t* scales, EncodeCounts* counts) {
  nvfp4_encode_cpu(spec, layout, source, x, codes, scales, counts);
}
void Nvfp4Decode(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                 const uint8_t* scales, Float target, void* out, uint64_t* saturated) {
  nvfp4_decode_cpu(spec, layout, codes, scales, target, out, saturated);
}
#else

struct Nvfp4Format {
  static constexpr unsigned kBits = 4;
  static constexpr bool kHighFirst = false, kKeepsSign = true, kHasLimit = false;

  template <Float kType, class DF>
  HWY_INLINE Bytes<DF> codes(DF df, const Quad<DF>& q) const {
    return quad_bytes<kType>(
        df, IntQuad<DF>{e2m1_codes(df, q.a), e2m1_codes(df, q.b), e2m1_codes(df, q.c), e2m1_codes(df, q.d)});
  }
};

template <class DF>
HWY_INLINE float block_error(DF df, const float* x, float scale) {
  const auto factor = hn::Set(df, scale), inverse = hn::Set(df, inverse_of(scale));
  return folded_block<kNvfp4Block>(df, x, [&](Vec<DF> v) HWY_ATTR {
    const auto error = hn::Sub(hn::Mul(e2m1_rounded(df, hn::Mul(v, inverse)), factor), hn::Abs(v));
    return hn::Mul(error, error);
  });
}

template <Float kType>
void encode_as(const Nvfp4Spec& spec, const BlockLayout& layout, const void* x, uint8_t* codes,
               uint8_t* scales, EncodeCounts* counts) {
  const hn::CappedTag<float, 4> df;
  const hn::CappedTag<float, 8> wide;
  alignas(64) float extremes[kBatch], floats[kNvfp4Block];
  for_each_batch(layout, [&](const Batch& batch) HWY_ATTR {
    const Word<kType>* in = static_cast<const Word<kType>*>(x) + batch.first;
    uint8_t* out = codes + batch.row * layout.row_bytes(4) + batch.col / 2;
    if (!block_extremes<kType>(df, in, batch.blocks, batch.size, false, extremes))
      return nvfp4_encode_cpu(spec, {1, batch.blocks * batch.size, kNvfp4Block}, kType, in, out,
                              scales + batch.index, counts);
    for (uint64_t b = 0; b < batch.blocks; ++b) {
      const Word<kType>* block = in + b * batch.size;
      const float absmax = absolute(extremes[b]);
      Nvfp4Scale chosen = nvfp4_block_scale(absmax, 6, spec.g);
      if (spec.four_or_six) {
        load_padded<kType>(wide, block, batch.size, kNvfp4Block, floats);
        const Nvfp4Scale four = nvfp4_block_scale(absmax, 4, spec.g);
        if (block_error(wide, floats, four.scale.value) < block_error(wide, floats, chosen.scale.value))
          chosen = four;
      }
      counts->flushed_blocks += chosen.scale.flushed;
      counts->scale_overflow += chosen.scale.overflow;
      scales[batch.index + b] = absmax == 0 && spec.zero_scale_as_eighth ? kE4m3Eighth : chosen.byte;
      encode_elements<kType, false>(df, Nvfp4Format(), block, batch.size, inverse_of(chosen.scale.value),
                                    out + b * kNvfp4Block / 2);
    }
  });
}

void Nvfp4Encode(const Nvfp4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                 uint8_t* codes, uint8_t* scales, EncodeCounts* counts) {
  with_float(source, [&]<Float kType>() { encode_as<kType>(spec, layout, x, codes, scales, counts); });
}

template <Float kTarget>
void decode_to(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes, const uint8_t* scales,
               void* out, uint64_t* saturated) {
  const hn::CappedTag<float, 4> df;
  uint64_t index = 0;
  for (uint64_t row = 0; row < layout.rows; ++row)
    for (uint64_t col = 0; col < layout.cols; col += kNvfp4Block, ++index) {
      const uint64_t size = std::min(kNvfp4Block, layout.cols - col);
      const uint8_t* in = codes + row * layout.row_bytes(4) + col / 2;
      auto* to = static_cast<Word<kTarget>*>(out) + row * layout.cols + col;
      const float scale = nvfp4_scale_of(scales[index], spec.g);
      if (absolute(scale) * 6 < safe_limit<kTarget>()) {
        decode_by_table<kTarget, 4, false>(
            df, ValueTable<kTarget, hn::CappedTag<float, 4> >(df, kE2m1Values, scale), in, size, to);
      } else {
        nvfp4_decode_cpu(spec, {1, size, kNvfp4Block}, in, scales + index, kTarget, to, saturated);
      }
    }
}

void Nvfp4Decode(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                 const uint8_t* scales, Float target, void* out, uint64_t* saturated) {
  with_float(target, [&]<Float kType>() { decode_to<kType>(spec, layout, codes, scales, out, saturated); });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(Nvfp4Encode);
HWY_EXPORT(Nvfp4Decode);

void nvfp4_encode_simd(const Nvfp4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                       uint8_t* codes, uint8_t* scales, EncodeCounts* counts) {
  HWY_DYNAMIC_DISPATCH(Nvfp4Encode)(spec, layout, source, x, codes, scales, counts);
}
void nvfp4_decode_simd(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                       const uint8_t* scales, Float target, void* out, uint64_t* saturated) {
  HWY_DYNAMIC_DISPATCH(Nvfp4Decode)(spec, layout, codes, scales, target, out, saturated);
}

}  // namespace mlq::kernels
#endif
