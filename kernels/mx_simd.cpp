#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/mx_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/mx_math.h"
#include "kernels/simd_blocks-inl.h"
#include "kernels/simd_e2m1-inl.h"
#include "kernels/simd_float8-inl.h"
#include "kernels/simd_tables-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void MxEncode(const MxSpec& spec, const BlockLayout& layout, Float source, const void* x, uint8_t* codes,
              uint8_t* scales, EncodeCounts* counts) {
  mx_encode_cpu(spec, layout, source, x, codes, scales, counts);
}
void MxDecode(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes, const uint8_t* scales,
              Float target, void* out, uint64_t* saturated) {
  mx_decode_cpu(spec, layout, codes, scales, target, out, saturated);
}
#else

template <bool kE4m3>
struct MxFormat {
  static constexpr unsigned kBits = kE4m3 ? 8 : 4;
  static constexpr bool kHighFirst = false, kKeepsSign = true, kHasLimit = false;

  template <Float kType, class DF>
  HWY_INLINE Bytes<DF> codes(DF df, const Quad<DF>& q) const {
    if constexpr (kE4m3) {
      return quad_bytes<kType>(df, IntQuad<DF>{float8_codes<true>(df, q.a), float8_codes<true>(df, q.b),
                                               float8_codes<true>(df, q.c), float8_codes<true>(df, q.d)});
    } else {
      return quad_bytes<kType>(df, IntQuad<DF>{e2m1_codes(df, q.a), e2m1_codes(df, q.b), e2m1_codes(df, q.c),
                                               e2m1_codes(df, q.d)});
    }
  }
};

// Squared errors of a vector.
template <bool kE4m3, class DF>
HWY_INLINE Vec<DF> squared_errors(DF df, Vec<DF> v, Vec<DF> scale, Vec<DF> inverse) {
  const auto scaled = hn::Mul(v, inverse);
  const auto decoded = kE4m3 ? small_value<3, 7>(df, small_magnitude<3, 7>(df, hn::Abs(scaled), 448.0f))
                             : e2m1_rounded(df, scaled);
  const auto error = hn::Sub(hn::Mul(decoded, scale), hn::Abs(v));
  return hn::Mul(error, error);
}

template <bool kE4m3, class DF>
HWY_INLINE float block_error(DF df, const float* x, float scale, float inverse) {
  return folded_block<kMxBlock>(df, x, [&](Vec<DF> v) HWY_ATTR {
    return squared_errors<kE4m3>(df, v, hn::Set(df, scale), hn::Set(df, inverse));
  });
}

template <Float kType, bool kE4m3>
void encode_as(const MxSpec& spec, const BlockLayout& layout, const Word<kType>* x, uint8_t* codes,
               uint8_t* scales, EncodeCounts* counts) {
  const hn::CappedTag<float, 8> df;
  const MxFormat<kE4m3> format;
  constexpr unsigned kBits = MxFormat<kE4m3>::kBits;
  const MxElement element = kE4m3 ? MxElement::e4m3 : MxElement::e2m1;
  alignas(64) float extremes[kBatch], floats[kMxBlock];
  for_each_batch(layout, [&](const Batch& batch) HWY_ATTR {
    const Word<kType>* in = x + batch.first;
    uint8_t* out = codes + batch.row * layout.row_bytes(kBits) + batch.col * kBits / 8;
    if (!block_extremes<kType>(df, in, batch.blocks, batch.size, false, extremes))
      return mx_encode_cpu(spec, {1, batch.blocks * batch.size, kMxBlock}, kType, in, out,
                           scales + batch.index, counts);
    for (uint64_t b = 0; b < batch.blocks; ++b) {
      const Word<kType>* block = in + b * batch.size;
      const float absmax = absolute(extremes[b]);
      int e = mx_exponent(element, absmax, spec.scale == MxScale::even ? mx_even_step(absmax) : 0);
      if (spec.scale == MxScale::best && absmax != 0) {
        load_padded<kType>(df, block, batch.size, kMxBlock, floats);
        const int above = mx_exponent(element, absmax, 1);
        if (block_error<kE4m3>(df, floats, power_of_two(above), power_of_two(-above)) <
            block_error<kE4m3>(df, floats, power_of_two(e), power_of_two(-e)))
          e = above;
      }
      scales[batch.index + b] = absmax == 0 ? uint8_t{0} : static_cast<uint8_t>(e + 127);
      encode_elements<kType, false>(df, format, block, batch.size, absmax == 0 ? 0.0f : power_of_two(-e),
                                    out + b * kMxBlock * kBits / 8);
    }
  });
}

template <Float kType>
void encode_from(const MxSpec& spec, const BlockLayout& layout, const void* x, uint8_t* codes,
                 uint8_t* scales, EncodeCounts* counts) {
  const auto* in = static_cast<const Word<kType>*>(x);
  if (spec.element == MxElement::e4m3) return encode_as<kType, true>(spec, layout, in, codes, scales, counts);
  encode_as<kType, false>(spec, layout, in, codes, scales, counts);
}

void MxEncode(const MxSpec& spec, const BlockLayout& layout, Float source, const void* x, uint8_t* codes,
              uint8_t* scales, EncodeCounts* counts) {
  with_float(source, [&]<Float kType>() { encode_from<kType>(spec, layout, x, codes, scales, counts); });
}

template <Float kTarget, bool kE4m3>
void decode_as(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes, const uint8_t* scales,
               void* out, uint64_t* saturated) {
  const hn::CappedTag<float, 8> df;
  constexpr unsigned kBits = kE4m3 ? 8 : 4;
  uint64_t index = 0;
  for (uint64_t row = 0; row < layout.rows; ++row)
    for (uint64_t col = 0; col < layout.cols; col += kMxBlock, ++index) {
      const uint64_t size = std::min(kMxBlock, layout.cols - col);
      const uint8_t* in = codes + row * layout.row_bytes(kBits) + col * kBits / 8;
      auto* to = static_cast<Word<kTarget>*>(out) + row * layout.cols + col;
      const float scale = f32_from_e8m0(scales[index]);
      const bool safe = scale * (kE4m3 ? 448.0f : 6.0f) < safe_limit<kTarget>();
      if (!safe || (kE4m3 && largest_float8(in, size) == 0x7f)) {
        mx_decode_cpu(spec, {1, size, kMxBlock}, in, scales + index, kTarget, to, saturated);
      } else if constexpr (kE4m3) {
        decode_float8<kTarget, true>(df, in, scale, size, to);
      } else {
        decode_by_table<kTarget, 4, false>(
            df, ValueTable<kTarget, hn::CappedTag<float, 8> >(df, kE2m1Values, scale), in, size, to);
      }
    }
}

template <Float kTarget>
void decode_to(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes, const uint8_t* scales,
               void* out, uint64_t* saturated) {
  if (spec.element == MxElement::e4m3)
    return decode_as<kTarget, true>(spec, layout, codes, scales, out, saturated);
  decode_as<kTarget, false>(spec, layout, codes, scales, out, saturated);
}

void MxDecode(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes, const uint8_t* scales,
              Float target, void* out, uint64_t* saturated) {
  with_float(target, [&]<Float kType>() { decode_to<kType>(spec, layout, codes, scales, out, saturated); });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(MxEncode);
HWY_EXPORT(MxDecode);

void mx_encode_simd(const MxSpec& spec, const BlockLayout& layout, Float source, const void* x,
                    uint8_t* codes, uint8_t* scales, EncodeCounts* counts) {
  HWY_DYNAMIC_DISPATCH(MxEncode)(spec, layout, source, x, codes, scales, counts);
}
void mx_decode_simd(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                    const uint8_t* scales, Float target, void* out, uint64_t* saturated) {
  HWY_DYNAMIC_DISPATCH(MxDecode)(spec, layout, codes, scales, target, out, saturated);
}

}  // namespace mlq::kernels
#endif
