#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ec_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/ec_math.h"
#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
uint64_t EcEncode(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                  void* escapes, EncodeCounts* counts) {
  return ec_encode_cpu(step, elems, source, x, low, high, escapes, counts);
}
void EcDecode(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
              const void* escapes, Float target, void* out, uint64_t* saturated) {
  ec_decode_cpu(step, elems, low, high, source, escapes, target, out, saturated);
}
#else

constexpr uint64_t kPiece = 4096;

// Calls visit(i) for the lanes of a mask, the first first.
template <class D, class Visit>
HWY_INLINE void for_each_set(D d, hn::Mask<D> mask, const Visit& visit) {
  alignas(8) uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, mask, bytes);
  uint64_t bits;
  std::memcpy(&bits, bytes, 8);
  for (; bits != 0; bits &= bits - 1) visit(hwy::Num0BitsBelowLS1Bit_Nonzero64(bits));
}

// Words of narrow codes, where 0 escapes, as signed bytes less the offset: those above 127 become -128, which
// is the offset's escape.
template <class DW>
HWY_INLINE Vec<DW> without_large(DW dw, Vec<DW> words) {
  return hn::IfThenElse(hn::Gt(words, hn::Set(dw, 127)), hn::Set(dw, -128), words);
}
template <class DI>
HWY_INLINE Vec<DI> without_large_ints(DI di, Vec<DI> q) {
  return hn::IfThenElse(hn::Gt(q, hn::Set(di, 32767)), hn::Set(di, -32768), q);
}

template <Float kType, class DF>
HWY_INLINE Bytes<DF> narrow_codes(DF df, const IntQuad<DF>& q) {
  const I16<DF> dw;
  const U32<DF> du;
  const U8<DF> db;
  const auto first = ordered_words<kType>(df, q.a, q.b), second = ordered_words<kType>(df, q.c, q.d);
  const auto bytes = narrowed_words(dw, without_large(dw, first), without_large(dw, second));
  const auto offset = hn::Xor(bytes, hn::Set(db, 0x80));
  if constexpr (hn::MaxLanes(DF()) == 4) {
    return offset;
  } else {
    alignas(64) static constexpr uint32_t kTwo[8] = {0, 1, 4, 5, 2, 3, 6, 7};
    alignas(64) static constexpr uint32_t kFour[16] = {0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15};
    const auto order = hn::SetTableIndices(du, hn::MaxLanes(DF()) == 8 ? kTwo : kFour);
    return hn::BitCast(db, hn::TableLookupLanes(hn::BitCast(du, offset), order));
  }
}

// Codes of 4 N finite elements; the lanes that escape.
template <Float kType, class DF>
HWY_INLINE hn::Mask<U8<DF> > encode_quad(DF df, const Word<kType>* x, Vec<DF> inverse, uint8_t* low,
                                         uint8_t* high) {
  const U8<DF> db;
  const U16<DF> dw;
  const I32<DF> di;
  const auto q = load_quad<kType>(df, x);
  const IntQuad<DF> ints = {rounded_ints(df, hn::Mul(q.a, inverse)), rounded_ints(df, hn::Mul(q.b, inverse)),
                            rounded_ints(df, hn::Mul(q.c, inverse)), rounded_ints(df, hn::Mul(q.d, inverse))};
  if (!high) {
    const auto codes = narrow_codes<kType>(df, ints);
    hn::StoreU(codes, db, low);
    return hn::Eq(codes, hn::Zero(db));
  }
  const auto offset = hn::Set(dw, 0x8000);
  const auto first = hn::Xor(hn::BitCast(dw, ordered_words<kType>(df, without_large_ints(di, ints.a),
                                                                  without_large_ints(di, ints.b))),
                             offset);
  const auto second = hn::Xor(hn::BitCast(dw, ordered_words<kType>(df, without_large_ints(di, ints.c),
                                                                   without_large_ints(di, ints.d))),
                              offset);
  const auto lows = hn::ConcatEven(db, hn::BitCast(db, second), hn::BitCast(db, first));
  const auto highs = hn::ConcatOdd(db, hn::BitCast(db, second), hn::BitCast(db, first));
  hn::StoreU(lows, db, low);
  hn::StoreU(highs, db, high);
  return hn::Eq(hn::Or(lows, highs), hn::Zero(db));
}

template <Float kType>
uint64_t encode_as(float step, uint64_t elems, const void* x, uint8_t* low, uint8_t* high, void* escapes,
                   EncodeCounts* counts) {
  const hn::CappedTag<float, 16> df;
  using DF = std::remove_const_t<decltype(df)>;
  const U8<DF> db;
  const auto inverse = hn::Set(df, 1.0f / step);
  const auto* in = static_cast<const Word<kType>*>(x);
  auto* escape = static_cast<Word<kType>*>(escapes);
  const size_t lanes = hn::Lanes(db);
  for (uint64_t piece = 0; piece < elems; piece += kPiece) {
    const uint64_t end = std::min(elems, piece + kPiece);
    uint64_t i = piece;
    if (all_finite<kType>(df, in + piece, end - piece)) {
      for (; i + lanes <= end; i += lanes) {
        const auto mask = encode_quad<kType>(df, in + i, inverse, low + i, high ? high + i : nullptr);
        if (HWY_UNLIKELY(!hn::AllFalse(db, mask)))
          for_each_set(db, mask, [&](size_t k) { *escape++ = in[i + k]; });
      }
    }
    if (i < end)
      escape +=
          ec_encode_cpu(step, end - i, kType, in + i, low + i, high ? high + i : nullptr, escape, counts);
  }
  return static_cast<uint64_t>(escape - static_cast<Word<kType>*>(escapes));
}

uint64_t EcEncode(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                  void* escapes, EncodeCounts* counts) {
  switch (source) {
    case Float::f32:
      return encode_as<Float::f32>(step, elems, x, low, high, escapes, counts);
    case Float::f16:
      return encode_as<Float::f16>(step, elems, x, low, high, escapes, counts);
    default:
      return encode_as<Float::bf16>(step, elems, x, low, high, escapes, counts);
  }
}

// ---- Decoding

// 2 N codes as signed words less their offset, and the lanes that escape.
template <class DF>
HWY_INLINE Words<DF> code_words(DF, const uint8_t* low, const uint8_t* high) {
  const U16<DF> du;
  const I16<DF> dw;
  const hn::Rebind<uint8_t, U16<DF> > db;
  const auto lows = hn::PromoteTo(dw, hn::LoadU(db, low));
  if (!high) return hn::Sub(lows, hn::Set(dw, kEcNarrowOffset));
  const auto highs = hn::ShiftLeft<8>(hn::PromoteTo(du, hn::LoadU(db, high)));
  return hn::BitCast(dw, hn::Xor(hn::Or(hn::BitCast(du, lows), highs), hn::Set(du, 0x8000)));
}

template <Float kTarget>
void decode_as(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
               const void* escapes, void* out, uint64_t* saturated) {
  const hn::CappedTag<float, 16> df;
  using DF = std::remove_const_t<decltype(df)>;
  const I16<DF> dw;
  const auto factor = hn::Set(df, step);
  const int offset = high ? kEcWideOffset : kEcNarrowOffset;
  const auto escape_word = hn::Set(dw, static_cast<int16_t>(-offset));
  const auto* escape = static_cast<const uint8_t*>(escapes);
  const size_t width = size_of(source), lanes = hn::Lanes(dw);
  auto* to = static_cast<Word<kTarget>*>(out);
  if (!(step * static_cast<float>(offset) < safe_limit<kTarget>()))
    return ec_decode_cpu(step, elems, low, high, source, escapes, kTarget, out, saturated);
  uint64_t i = 0;
  for (; i + lanes <= elems; i += lanes) {
    const auto words = code_words(df, low + i, high ? high + i : nullptr);
    store_scaled_words<kTarget>(df, words, factor, to + i);
    const auto mask = hn::Eq(words, escape_word);
    if (HWY_UNLIKELY(!hn::AllFalse(dw, mask)))
      for_each_set(dw, mask, [&](size_t k) {
        const float v = load(source, escape, 0);
        escape += width;
        *saturated += saturates(kTarget, v);
        store(kTarget, to, i + k, v);
      });
  }
  ec_decode_cpu(step, elems - i, low + i, high ? high + i : nullptr, source, escape, kTarget, to + i,
                saturated);
}

void EcDecode(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
              const void* escapes, Float target, void* out, uint64_t* saturated) {
  with_float(target, [&]<Float kType>() {
    decode_as<kType>(step, elems, low, high, source, escapes, out, saturated);
  });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(EcEncode);
HWY_EXPORT(EcDecode);

uint64_t ec_encode_simd(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                        void* escapes, EncodeCounts* counts) {
  return HWY_DYNAMIC_DISPATCH(EcEncode)(step, elems, source, x, low, high, escapes, counts);
}
void ec_decode_simd(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                    const void* escapes, Float target, void* out, uint64_t* saturated) {
  HWY_DYNAMIC_DISPATCH(EcDecode)(step, elems, low, high, source, escapes, target, out, saturated);
}

}  // namespace mlq::kernels
#endif
