#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/lut4_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/lut4_math.h"
#include "kernels/simd_blocks-inl.h"
#include "kernels/simd_tables-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void Lut4Encode(const Lut4Spec& spec, const BlockLayout& layout, Float source, const void* x, uint8_t* codes,
                void* scales, EncodeCounts* counts) {
  lut4_encode_cpu(spec, layout, source, x, codes, scales, counts);
}
void Lut4Decode(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes, const void* scales,
                Float target, void* out, uint64_t* saturated) {
  lut4_decode_cpu(spec, layout, codes, scales, target, out, saturated);
}
#else

// The midpoints as a tree of comparisons reads them: one, two, four, then eight to choose from.
struct Nf4Tree {
  float first, second[2];
  alignas(64) float third[16], fourth[16];
};
constexpr Nf4Tree nf4_tree() {
  Nf4Tree tree{};
  const float* t = kNf4Midpoints.at;
  tree.first = t[7];
  for (int i = 0; i < 2; ++i) tree.second[i] = t[8 * i + 3];
  for (int i = 0; i < 4; ++i) tree.third[i] = t[4 * i + 1];
  for (int i = 0; i < 8; ++i) tree.fourth[i] = t[2 * i];
  return tree;
}
alignas(64) constexpr Nf4Tree kNf4Tree = nf4_tree();

// 1 where v > threshold.
template <class DF>
HWY_INLINE Ints<DF> above(DF df, Vec<DF> v, Vec<DF> threshold) {
  const I32<DF> di;
  return hn::Neg(hn::BitCast(di, hn::VecFromMask(df, hn::Gt(v, threshold))));
}

template <class DF>
HWY_INLINE Ints<DF> nf4_codes(DF df, Vec<DF> v) {
  const I32<DF> di;
  if constexpr (hn::MaxLanes(DF()) >= 8) {
    const auto high = hn::Gt(v, hn::Set(df, kNf4Tree.first));
    const auto second =
        hn::IfThenElse(high, hn::Set(df, kNf4Tree.second[1]), hn::Set(df, kNf4Tree.second[0]));
    auto code = hn::Neg(hn::BitCast(di, hn::VecFromMask(df, high)));
    code = hn::Add(hn::Add(code, code), above(df, v, second));
    const auto third = hn::TableLookupLanes(hn::Load(df, kNf4Tree.third), hn::IndicesFromVec(df, code));
    code = hn::Add(hn::Add(code, code), above(df, v, third));
    const auto fourth = hn::TableLookupLanes(hn::Load(df, kNf4Tree.fourth), hn::IndicesFromVec(df, code));
    return hn::Add(hn::Add(code, code), above(df, v, fourth));
  } else {
    auto code = hn::Zero(di);
    for (const float midpoint : kNf4Midpoints.at) code = hn::Add(code, above(df, v, hn::Set(df, midpoint)));
    return code;
  }
}

// The rank of the magnitude among the thresholds, 8 more for negative numbers.
template <class DF>
HWY_INLINE Ints<DF> fp4_ranks(DF df, Vec<DF> v) {
  const I32<DF> di;
  const auto magnitude = hn::Abs(v);
  auto rank = hn::ShiftLeft<3>(above(df, hn::Zero(df), v));
  for (const float threshold : kFp4Steps.above)
    rank = hn::Add(rank, above(df, magnitude, hn::Set(df, threshold)));
  (void)di;
  return rank;
}

template <bool kIsNf4, bool kHigh>
struct Lut4Format {
  static constexpr unsigned kBits = 4;
  static constexpr bool kHighFirst = kHigh, kKeepsSign = false, kHasLimit = false;
  Lut4Spec spec;
  Float scale_type = spec.scale;
  bool by_sign = false;

  template <class DF>
  HWY_INLINE Vec<DF> exact_scale(DF, Vec<DF> extreme) const {
    return hn::Abs(extreme);
  }

  template <Float kType, class DF>
  HWY_INLINE Bytes<DF> codes(DF df, const Quad<DF>& q) const {
    if constexpr (kIsNf4) {
      return quad_bytes<kType>(
          df, IntQuad<DF>{nf4_codes(df, q.a), nf4_codes(df, q.b), nf4_codes(df, q.c), nf4_codes(df, q.d)});
    } else {
      const auto ranks = quad_bytes<kType>(
          df, IntQuad<DF>{fp4_ranks(df, q.a), fp4_ranks(df, q.b), fp4_ranks(df, q.c), fp4_ranks(df, q.d)});
      alignas(16) static constexpr uint8_t kCodes[16] = {0, 1, 6,  7,  4,  5,  2,  3,
                                                         8, 9, 14, 15, 12, 13, 10, 11};
      static_assert(kCodes[2] == kFp4Steps.code[2] && kCodes[10] == 8 + kFp4Steps.code[2]);
      return hn::TableLookupBytes(hn::LoadDup128(U8<DF>(), kCodes), ranks);
    }
  }

  void twin(const BlockLayout& layout, Float source, const void* x, uint8_t* to, void* scales,
            EncodeCounts* counts) const {
    lut4_encode_cpu(spec, layout, source, x, to, scales, counts);
  }
};

void Lut4Encode(const Lut4Spec& spec, const BlockLayout& layout, Float source, const void* x, uint8_t* codes,
                void* scales, EncodeCounts* counts) {
  const bool high = spec.order == NibbleOrder::high_first;
  if (spec.table == Table4::nf4 && !high)
    return encode_blocks(Lut4Format<true, false>{spec}, layout, source, x, codes, scales, counts);
  if (spec.table == Table4::nf4)
    return encode_blocks(Lut4Format<true, true>{spec}, layout, source, x, codes, scales, counts);
  if (!high) return encode_blocks(Lut4Format<false, false>{spec}, layout, source, x, codes, scales, counts);
  encode_blocks(Lut4Format<false, true>{spec}, layout, source, x, codes, scales, counts);
}

template <Float kTarget, bool kHighFirst>
struct Lut4DecodeRows {
  const Lut4Spec& spec;
  const BlockLayout& layout;
  const uint8_t* codes;
  const void* scales;
  Word<kTarget>* out;
  uint64_t* saturated;

  template <class DF>
  HWY_ATTR void operator()(DF df) const {
    const float* values = spec.table == Table4::nf4 ? kNf4Values.at : kFp4Values.at;
    uint64_t index = 0;
    for (uint64_t row = 0; row < layout.rows; ++row)
      for (uint64_t col = 0; col < layout.cols; col += layout.block, ++index) {
        const uint64_t size = std::min(layout.block, layout.cols - col);
        const uint8_t* in = codes + row * layout.row_bytes(4) + col / 2;
        Word<kTarget>* to = out + row * layout.cols + col;
        const float scale = load(spec.scale, scales, index);
        if (absolute(scale) < safe_limit<kTarget>()) {
          decode_by_table<kTarget, 4, kHighFirst>(df, ValueTable<kTarget, DF>(df, values, scale), in, size,
                                                  to);
        } else {
          lut4_decode_cpu(spec, {1, size, layout.block}, in,
                          static_cast<const uint8_t*>(scales) + index * size_of(spec.scale), kTarget, to,
                          saturated);
        }
      }
  }
};

template <Float kTarget>
void decode(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes, const void* scales,
            void* out, uint64_t* saturated) {
  auto* to = static_cast<Word<kTarget>*>(out);
  if (spec.order == NibbleOrder::low_first) {
    with_short_tag_for(layout.block,
                       Lut4DecodeRows<kTarget, false>{spec, layout, codes, scales, to, saturated});
  } else {
    with_short_tag_for(layout.block,
                       Lut4DecodeRows<kTarget, true>{spec, layout, codes, scales, to, saturated});
  }
}

void Lut4Decode(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes, const void* scales,
                Float target, void* out, uint64_t* saturated) {
  with_float(target, [&]<Float kType>() { decode<kType>(spec, layout, codes, scales, out, saturated); });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(Lut4Encode);
HWY_EXPORT(Lut4Decode);

void lut4_encode_simd(const Lut4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                      uint8_t* codes, void* scales, EncodeCounts* counts) {
  HWY_DYNAMIC_DISPATCH(Lut4Encode)(spec, layout, source, x, codes, scales, counts);
}
void lut4_decode_simd(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const void* scales, Float target, void* out, uint64_t* saturated) {
  HWY_DYNAMIC_DISPATCH(Lut4Decode)(spec, layout, codes, scales, target, out, saturated);
}

}  // namespace mlq::kernels
#endif
