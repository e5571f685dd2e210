#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/float8_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/float8.h"
#include "kernels/simd_blocks-inl.h"
#include "kernels/simd_float8-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void Float8Encode(const Float8Spec& spec, const BlockLayout& layout, Float source, const void* x,
                  uint8_t* codes, void* scales, EncodeCounts* counts) {
  float8_encode_cpu(spec, layout, source, x, codes, scales, counts);
}
void Float8EncodeScaled(uint64_t elems, Float source, const void* x, float scale, uint8_t* codes,
                        EncodeCounts* counts) {
  float8_encode_scaled_cpu(elems, source, x, scale, codes, counts);
}
void Float8Decode(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes, const void* scales,
                  Float target, void* out, uint64_t* saturated) {
  float8_decode_cpu(spec, layout, codes, scales, target, out, saturated);
}
#else

constexpr uint64_t kPiece = 4096;

template <bool kE4m3>
struct Float8Format {
  static constexpr unsigned kBits = 8;
  static constexpr bool kHighFirst = false, kKeepsSign = true, kHasLimit = false;
  Float8Spec spec;
  Float scale_type = spec.scale;
  bool by_sign = false;

  template <class DF>
  HWY_INLINE Vec<DF> exact_scale(DF df, Vec<DF> extreme) const {
    return hn::Div(hn::Abs(extreme), hn::Set(df, 448.0f));
  }

  template <Float kType, class DF>
  HWY_INLINE Bytes<DF> codes(DF df, const Quad<DF>& q) const {
    return quad_bytes<kType>(df, IntQuad<DF>{float8_codes<kE4m3>(df, q.a), float8_codes<kE4m3>(df, q.b),
                                             float8_codes<kE4m3>(df, q.c), float8_codes<kE4m3>(df, q.d)});
  }

  void twin(const BlockLayout& layout, Float source, const void* x, uint8_t* to, void* scales,
            EncodeCounts* counts) const {
    float8_encode_cpu(spec, layout, source, x, to, scales, counts);
  }
};

// All by one factor: E5M2, or E4M3 with a scale that is known.
template <Float kType, class Format, class Twin>
HWY_INLINE void encode_pieces(const Format& format, uint64_t elems, const void* x, float inverse,
                              uint8_t* codes, const Twin& twin) {
  const hn::CappedTag<float, 16> df;
  const auto* in = static_cast<const Word<kType>*>(x);
  for (uint64_t i = 0; i < elems; i += kPiece) {
    const uint64_t size = std::min(kPiece, elems - i);
    if (all_finite<kType>(df, in + i, size)) {
      encode_elements<kType, false>(df, format, in + i, size, inverse, codes + i);
    } else {
      twin(size, in + i, codes + i);
    }
  }
}

template <class Format, class Twin>
HWY_INLINE void encode_all(const Format& format, uint64_t elems, Float source, const void* x, float inverse,
                           uint8_t* codes, const Twin& twin) {
  with_float(source, [&]<Float kType>() { encode_pieces<kType>(format, elems, x, inverse, codes, twin); });
}

void Float8Encode(const Float8Spec& spec, const BlockLayout& layout, Float source, const void* x,
                  uint8_t* codes, void* scales, EncodeCounts* counts) {
  if (spec.type == Float8::e4m3)
    return encode_blocks(Float8Format<true>{spec}, layout, source, x, codes, scales, counts);
  encode_all(Float8Format<false>{spec}, layout.elems(), source, x, 1.0f, codes,
             [&](uint64_t size, const void* in, uint8_t* out) {
               float8_encode_cpu(spec, {1, size, size}, source, in, out, nullptr, counts);
             });
}

void Float8EncodeScaled(uint64_t elems, Float source, const void* x, float scale, uint8_t* codes,
                        EncodeCounts* counts) {
  encode_all(Float8Format<true>{Float8Spec{}}, elems, source, x, inverse_of(scale), codes,
             [&](uint64_t size, const void* in, uint8_t* out) {
               float8_encode_scaled_cpu(size, source, in, scale, out, counts);
             });
}

// ---- Decoding

template <Float kTarget>
void decode_blocks(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                   const void* scales, void* out, uint64_t* saturated) {
  const hn::CappedTag<float, 8> df;
  const bool e4m3 = spec.type == Float8::e4m3;
  const uint64_t block = e4m3 ? layout.block : kPiece;
  uint64_t index = 0;
  for (uint64_t row = 0; row < layout.rows; ++row)
    for (uint64_t col = 0; col < layout.cols; col += block, ++index) {
      const uint64_t size = std::min(block, layout.cols - col), first = row * layout.cols + col;
      const float scale = e4m3 ? load(spec.scale, scales, index) : 0.0f;
      auto* to = static_cast<Word<kTarget>*>(out) + first;
      // NaN and infinities among the codes, or products that may saturate.
      const bool rare = largest_float8(codes + first, size) >= (e4m3 ? 0x7f : 0x7c);
      if (rare || !(absolute(scale) * 448 < safe_limit<kTarget>())) {
        const size_t offset = e4m3 ? index * size_of(spec.scale) : 0;
        float8_decode_cpu(spec, {1, size, size}, codes + first, static_cast<const uint8_t*>(scales) + offset,
                          kTarget, to, saturated);
      } else if (e4m3) {
        decode_float8<kTarget, true>(df, codes + first, scale, size, to);
      } else {
        decode_float8<kTarget, false>(df, codes + first, 1.0f, size, to);
      }
    }
}

void Float8Decode(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes, const void* scales,
                  Float target, void* out, uint64_t* saturated) {
  with_float(target,
             [&]<Float kType>() { decode_blocks<kType>(spec, layout, codes, scales, out, saturated); });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(Float8Encode);
HWY_EXPORT(Float8EncodeScaled);
HWY_EXPORT(Float8Decode);

void float8_encode_simd(const Float8Spec& spec, const BlockLayout& layout, Float source, const void* x,
                        uint8_t* codes, void* scales, EncodeCounts* counts) {
  HWY_DYNAMIC_DISPATCH(Float8Encode)(spec, layout, source, x, codes, scales, counts);
}
void float8_encode_scaled_simd(uint64_t elems, Float source, const void* x, float scale, uint8_t* codes,
                               EncodeCounts* counts) {
  HWY_DYNAMIC_DISPATCH(Float8EncodeScaled)(elems, source, x, scale, codes, counts);
}
void float8_decode_simd(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                        const void* scales, Float target, void* out, uint64_t* saturated) {
  HWY_DYNAMIC_DISPATCH(Float8Decode)(spec, layout, codes, scales, target, out, saturated);
}

}  // namespace mlq::kernels
#endif
