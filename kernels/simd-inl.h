// What the SIMD versions have in common, compiled once a target: floats from memory and back, roundings,
// packed codes, the extreme of a block. A "quad" is four vectors, 4 N consecutive elements, in an order that
// suits their type: bf16 by even and odd elements, the others as they lie. Elements are finite here: whoever
// meets others goes to the twin.
#if defined(MLQ_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MLQ_KERNELS_SIMD_INL_H_
#undef MLQ_KERNELS_SIMD_INL_H_
#else
#define MLQ_KERNELS_SIMD_INL_H_
#endif

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/block_math.h"
#include "kernels/simd.h"
// Again for every target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
#if HWY_TARGET != HWY_SCALAR
namespace mlq::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#undef MLQ_HAS_F16C
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
#define MLQ_HAS_F16C 1
#else
#define MLQ_HAS_F16C 0
#endif

template <class D>
using Vec = hn::Vec<D>;
template <class DF>
using U32 = hn::Rebind<uint32_t, DF>;
template <class DF>
using I32 = hn::Rebind<int32_t, DF>;
template <class DF>
using U16 = hn::Repartition<uint16_t, DF>;
template <class DF>
using I16 = hn::Repartition<int16_t, DF>;
template <class DF>
using U8 = hn::Repartition<uint8_t, DF>;
template <class DF>
using Ints = Vec<I32<DF>>;
template <class DF>
using Words = Vec<I16<DF>>;
template <class DF>
using Bytes = Vec<U8<DF>>;

// How elements of a type lie in memory.
template <Float kType>
struct Stored {
  using Word = uint16_t;
};
template <>
struct Stored<Float::f32> {
  using Word = float;
};
template <Float kType>
using Word = typename Stored<kType>::Word;

// Bits of the smallest magnitude that is not finite.
template <Float kType>
constexpr uint32_t infinity_bits() {
  return kType == Float::f32 ? 0x7f800000u : kType == Float::f16 ? 0x7c00u : 0x7f80u;
}

template <Float kType>
HWY_INLINE float widened(uint32_t bits) {
  if constexpr (kType == Float::f32) return f32_from_bits(bits);
  return kType == Float::f16 ? f32_from_f16(static_cast<uint16_t>(bits))
                             : f32_from_bf16(static_cast<uint16_t>(bits));
}

template <class DF>
struct Quad {
  Vec<DF> a, b, c, d;
};
template <class DF>
struct IntQuad {
  Ints<DF> a, b, c, d;
};

// ---- Loads

// f16 words, zero-extended: the exponent is put right by a multiplication, which is exact for subnormals too.
template <class DF>
HWY_INLINE Vec<DF> widened_f16(DF df, const uint16_t* p) {
#if MLQ_HAS_F16C
  return hn::PromoteTo(
      df, hn::LoadU(hn::Rebind<hwy::float16_t, DF>(), reinterpret_cast<const hwy::float16_t*>(p)));
#else
  const U32<DF> du;
  const auto bits = hn::PromoteTo(du, hn::LoadU(hn::Rebind<uint16_t, DF>(), p));
  const auto magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(du, 0x7fffu)));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(du, 0x8000u)));
  const auto value = hn::Mul(hn::BitCast(df, magnitude), hn::Set(df, 0x1p112f));
  return hn::Or(value, hn::BitCast(df, sign));
#endif
}

// N elements as they lie.
template <Float kType, class DF>
HWY_INLINE Vec<DF> load_floats(DF df, const Word<kType>* p) {
  if constexpr (kType == Float::f32) {
    return hn::LoadU(df, p);
  } else if constexpr (kType == Float::f16) {
    return widened_f16(df, p);
  } else {
    const U32<DF> du;
    return hn::BitCast(df, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(hn::Rebind<uint16_t, DF>(), p))));
  }
}

template <Float kType, class DF>
HWY_INLINE Quad<DF> load_quad(DF df, const Word<kType>* p) {
  const size_t n = hn::Lanes(df);
  if constexpr (kType == Float::bf16) {
    const U16<DF> dw;
    const auto zero = hn::Zero(dw), first = hn::LoadU(dw, p), second = hn::LoadU(dw, p + 2 * n);
    return {hn::BitCast(df, hn::InterleaveLower(dw, zero, first)),
            hn::BitCast(df, hn::InterleaveUpper(dw, zero, first)),
            hn::BitCast(df, hn::InterleaveLower(dw, zero, second)),
            hn::BitCast(df, hn::InterleaveUpper(dw, zero, second))};
  } else {
    return {load_floats<kType>(df, p), load_floats<kType>(df, p + n), load_floats<kType>(df, p + 2 * n),
            load_floats<kType>(df, p + 3 * n)};
  }
}

template <class DF>
HWY_INLINE Quad<DF> scaled(const Quad<DF>& q, Vec<DF> factor) {
  return {hn::Mul(q.a, factor), hn::Mul(q.b, factor), hn::Mul(q.c, factor), hn::Mul(q.d, factor)};
}

// ---- Roundings

// Nearest integer, ties to even; of a number that int32_t does not have, one of its ends.
template <class DF>
HWY_INLINE Ints<DF> rounded_ints([[maybe_unused]] DF df, Vec<DF> v) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128
  // Without the care of NearestInt that the end be the nearer one: here it is INT32_MIN.
  if constexpr (sizeof(v.raw) == 16) {
    return Ints<DF>{_mm_cvtps_epi32(v.raw)};
#if HWY_TARGET != HWY_SSE4
  } else if constexpr (sizeof(v.raw) == 32) {
    return Ints<DF>{_mm256_cvtps_epi32(v.raw)};
#if HWY_TARGET != HWY_AVX2
  } else {
    return Ints<DF>{_mm512_cvtps_epi32(v.raw)};
#endif
#endif
  }
#else
  return hn::NearestInt(v);
#endif
}

// The upper half of each lane is the bf16 number, rounded; for numbers that do not saturate.
template <class DF>
HWY_INLINE Vec<U32<DF>> bf16_in_upper_half(DF, Vec<DF> v) {
  const U32<DF> du;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  return hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fffu)));
}

// f16 numbers in the lower half of each lane; for numbers that do not saturate.
template <class DF>
HWY_INLINE Vec<U32<DF>> f16_in_lower_half([[maybe_unused]] DF df, Vec<DF> v) {
  const U32<DF> du;
#if MLQ_HAS_F16C
  const auto narrow = hn::DemoteTo(hn::Rebind<hwy::float16_t, DF>(), v);
  return hn::PromoteTo(du, hn::BitCast(hn::Rebind<uint16_t, DF>(), narrow));
#else
  const auto bits = hn::BitCast(du, v);
  const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 0x8000u));
  const auto magnitude = hn::And(bits, hn::Set(du, 0x7fffffffu));
  const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(du, 1));
  const auto rounded = hn::Add(magnitude, hn::Add(odd, hn::Set(du, 0xfffu)));
  const auto normal = hn::ShiftRight<13>(hn::Sub(rounded, hn::Set(du, 112u << 23)));
  // Below 2^-14 the unit is 2^-24: that of 0.5 in fp32.
  const auto half = hn::Set(df, 0.5f);
  const auto subnormal =
      hn::Sub(hn::BitCast(du, hn::Add(hn::BitCast(df, magnitude), half)), hn::BitCast(du, half));
  const auto is_small = hn::Lt(hn::BitCast(df, magnitude), hn::Set(df, 0x1p-14f));
  return hn::Or(sign, hn::IfThenElse(hn::RebindMask(du, is_small), subnormal, normal));
#endif
}

// ---- Stores of floats that do not saturate: 2 N elements

template <Float kType, class DF>
HWY_INLINE void store_pair(DF df, Vec<DF> first, Vec<DF> second, Word<kType>* p) {
  const U16<DF> dw;
  if constexpr (kType == Float::f32) {
    hn::StoreU(first, df, p);
    hn::StoreU(second, df, p + hn::Lanes(df));
  } else if constexpr (kType == Float::f16) {
#if MLQ_HAS_F16C
    const hn::Rebind<uint16_t, DF> dh;
    const hn::Rebind<hwy::float16_t, DF> df16;
    hn::StoreU(hn::BitCast(dh, hn::DemoteTo(df16, first)), dh, p);
    hn::StoreU(hn::BitCast(dh, hn::DemoteTo(df16, second)), dh, p + hn::Lanes(df));
#else
    hn::StoreU(hn::ConcatEven(dw, hn::BitCast(dw, f16_in_lower_half(df, second)),
                              hn::BitCast(dw, f16_in_lower_half(df, first))),
               dw, p);
#endif
  } else {
    hn::StoreU(hn::ConcatOdd(dw, hn::BitCast(dw, bf16_in_upper_half(df, second)),
                             hn::BitCast(dw, bf16_in_upper_half(df, first))),
               dw, p);
  }
}

// Limit below which the product of a decoder surely does not saturate.
template <Float kType>
constexpr float safe_limit() {
  return kType == Float::f16 ? 65504.0f : 3.38e38f;
}

// ---- Small floats

// E4M3, E5M2, E2M1 as kernels/float_convert.h has them: magnitude codes of numbers that are no NaN.
template <unsigned kMantissa, unsigned kBias, class DF>
HWY_INLINE Vec<U32<DF>> small_magnitude(DF df, Vec<DF> magnitude, float largest) {
  const U32<DF> du;
  constexpr int kShift = 23 - static_cast<int>(kMantissa);
  const auto cut = hn::Min(magnitude, hn::Set(df, largest));
  const auto bits = hn::BitCast(du, cut);
  const auto odd = hn::And(hn::ShiftRight<kShift>(bits), hn::Set(du, 1));
  constexpr uint32_t kOffset = ((127 - kBias) << 23) - (1u << (kShift - 1)) + 1;
  const auto normal = hn::ShiftRight<kShift>(hn::Sub(hn::Add(bits, odd), hn::Set(du, kOffset)));
  // In the sum with this, the last bit is the format's smallest number.
  const auto magic = hn::BitCast(df, hn::Set(du, (128 - kBias - kMantissa + 23) << 23));
  const auto subnormal = hn::Sub(hn::BitCast(du, hn::Add(cut, magic)), hn::BitCast(du, magic));
  const auto smallest = hn::BitCast(df, hn::Set(du, (128 - kBias) << 23));
  return hn::IfThenElse(hn::RebindMask(du, hn::Lt(cut, smallest)), subnormal, normal);
}

// The values of magnitude codes that are finite.
template <unsigned kMantissa, unsigned kBias, class DF>
HWY_INLINE Vec<DF> small_value(DF df, Vec<U32<DF>> magnitude) {
  const U32<DF> du;
  const auto factor = hn::BitCast(df, hn::Set(du, (127 + 127 - kBias) << 23));
  return hn::Mul(hn::BitCast(df, hn::ShiftLeft<23 - static_cast<int>(kMantissa)>(magnitude)), factor);
}

// ---- Codes

// Two vectors of words to bytes with signed saturation, in each block of 16 bytes first those of `first`.
template <class DW>
HWY_INLINE Vec<hn::Repartition<uint8_t, DW>> narrowed_words(DW dw, Vec<DW> first, Vec<DW> second) {
  const hn::Repartition<uint8_t, DW> db;
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128
  using Packed = Vec<decltype(db)>;
  (void)dw;
  if constexpr (sizeof(first.raw) == 16) {
    return Packed{_mm_packs_epi16(first.raw, second.raw)};
#if HWY_TARGET != HWY_SSE4
  } else if constexpr (sizeof(first.raw) == 32) {
    return Packed{_mm256_packs_epi16(first.raw, second.raw)};
#if HWY_TARGET != HWY_AVX2
  } else {
    return Packed{_mm512_packs_epi16(first.raw, second.raw)};
#endif
#endif
  }
#else
  static_assert(hn::MaxLanes(DW()) == 8, "vectors of one block");
  const hn::Rebind<int8_t, DW> dh;
  const hn::Repartition<int8_t, DW> di;
  (void)dw;
  return hn::BitCast(db, hn::Combine(di, hn::DemoteTo(dh, second), hn::DemoteTo(dh, first)));
#endif
}

// A quad's integers as bytes, saturated, in element order.
template <Float kType, class DF>
HWY_INLINE Bytes<DF> quad_bytes(DF, const IntQuad<DF>& q) {
  const I16<DF> dw;
  const U32<DF> du;
  const U8<DF> db;
  // In blocks of 128 bits, as the interleave of load_quad: the two orders undo each other.
  const auto first = hn::ReorderDemote2To(dw, q.a, q.b), second = hn::ReorderDemote2To(dw, q.c, q.d);
  const auto bytes = narrowed_words(dw, first, second);
  constexpr uint32_t kBlocks = static_cast<uint32_t>(hn::MaxLanes(DF()) / 4);
  if constexpr (kBlocks == 1) {
    return bytes;
  } else {
    alignas(64) static constexpr uint32_t kWholeTwo[8] = {0, 1, 4, 5, 2, 3, 6, 7};
    alignas(64) static constexpr uint32_t kQuadTwo[8] = {0, 4, 1, 5, 2, 6, 3, 7};
    alignas(64) static constexpr uint32_t kWholeFour[16] = {0, 1, 4, 5, 8,  9,  12, 13,
                                                            2, 3, 6, 7, 10, 11, 14, 15};
    alignas(64) static constexpr uint32_t kQuadFour[16] = {0, 4, 8,  12, 1, 5, 9,  13,
                                                           2, 6, 10, 14, 3, 7, 11, 15};
    const uint32_t* order = kType == Float::bf16 ? (kBlocks == 2 ? kWholeTwo : kWholeFour)
                                                 : (kBlocks == 2 ? kQuadTwo : kQuadFour);
    return hn::BitCast(db, hn::TableLookupLanes(hn::BitCast(du, bytes), hn::SetTableIndices(du, order)));
  }
}

// The words of a quad's half, saturated, in element order.
template <Float kType, class DF>
HWY_INLINE Words<DF> ordered_words(DF, Ints<DF> first, Ints<DF> second) {
  const I16<DF> dw;
  const U32<DF> du;
  const auto words = hn::ReorderDemote2To(dw, first, second);
  constexpr uint32_t kBlocks = static_cast<uint32_t>(hn::MaxLanes(DF()) / 4);
  if constexpr (kBlocks == 1 || kType == Float::bf16) {
    return words;
  } else {
    alignas(64) static constexpr uint32_t kTwo[8] = {0, 1, 4, 5, 2, 3, 6, 7};
    alignas(64) static constexpr uint32_t kFour[16] = {0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15};
    const auto order = hn::SetTableIndices(du, kBlocks == 2 ? kTwo : kFour);
    return hn::BitCast(dw, hn::TableLookupLanes(hn::BitCast(du, words), order));
  }
}

template <class DF>
HWY_INLINE IntQuad<DF> rounded_quad(DF df, const Quad<DF>& q) {
  return {rounded_ints(df, q.a), rounded_ints(df, q.b), rounded_ints(df, q.c), rounded_ints(df, q.d)};
}

// Pairs of 4-bit codes, one a byte, as words of low 8 bits: the first low, or high.
template <bool kHighFirst, class DW, class V>
HWY_INLINE Vec<DW> paired_nibbles(DW dw, V codes) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128
  const hn::Repartition<uint8_t, DW> db;
  const auto factors = hn::BitCast(db, hn::Set(hn::RebindToUnsigned<DW>(), kHighFirst ? 0x0110 : 0x1001));
  (void)dw;
  if constexpr (sizeof(codes.raw) == 16) {
    return Vec<DW>{_mm_maddubs_epi16(codes.raw, factors.raw)};
#if HWY_TARGET != HWY_SSE4
  } else if constexpr (sizeof(codes.raw) == 32) {
    return Vec<DW>{_mm256_maddubs_epi16(codes.raw, factors.raw)};
#if HWY_TARGET != HWY_AVX2
  } else {
    return Vec<DW>{_mm512_maddubs_epi16(codes.raw, factors.raw)};
#endif
#endif
  }
#else
  const hn::RebindToUnsigned<DW> du;
  const auto words = hn::BitCast(du, codes);
  const auto pairs = kHighFirst ? hn::Or(hn::ShiftLeft<4>(words), hn::ShiftRight<8>(words))
                                : hn::Or(words, hn::ShiftRight<4>(words));
  return hn::BitCast(dw, hn::And(pairs, hn::Set(du, 0xff)));
#endif
}

// 4 N codes of so many bits, one a byte with zeros above: packed, 4 N * bits / 8 bytes. Of 4-bit codes the
// first of a byte lies low, or high.
template <unsigned kBits, bool kHighFirst, class DF>
HWY_INLINE void store_codes(DF, Bytes<DF> codes, uint8_t* p) {
  const U8<DF> db;
  const U16<DF> dw;
  const U32<DF> du;
  if constexpr (kBits == 8) {
    hn::StoreU(codes, db, p);
  } else if constexpr (kBits == 4) {
    const hn::Rebind<uint8_t, U16<DF>> dh;
    hn::StoreU(hn::DemoteTo(dh, paired_nibbles<kHighFirst>(I16<DF>(), codes)), dh, p);
  } else if constexpr (kBits == 2) {
    const auto fours = hn::BitCast(du, codes);
    const auto low = hn::Or(hn::Or(fours, hn::ShiftRight<6>(fours)),
                            hn::Or(hn::ShiftRight<12>(fours), hn::ShiftRight<18>(fours)));
    const hn::Rebind<uint8_t, U32<DF>> dq;
    hn::StoreU(hn::DemoteTo(dq, hn::BitCast(I32<DF>(), hn::And(low, hn::Set(du, 0xff)))), dq, p);
  } else {
    static_assert(kBits == 3);
    const hn::Repartition<uint64_t, DF> dl;
    const auto words = hn::BitCast(dw, codes);
    const auto twos = hn::BitCast(du, hn::And(hn::Or(words, hn::ShiftRight<5>(words)), hn::Set(dw, 0x3f)));
    const auto fours = hn::BitCast(dl, hn::And(hn::Or(twos, hn::ShiftRight<10>(twos)), hn::Set(du, 0xfff)));
    const auto eights = hn::Or(fours, hn::ShiftRight<20>(fours));
    alignas(64) uint64_t lanes[HWY_MAX_BYTES / 8];
    hn::Store(eights, dl, lanes);
    for (size_t i = 0; i < hn::Lanes(dl); ++i) std::memcpy(p + 3 * i, &lanes[i], 3);
  }
}

// The way back: 4 N codes, one a byte.
template <unsigned kBits, bool kHighFirst, class DF>
HWY_INLINE Bytes<DF> load_codes(DF, const uint8_t* p) {
  const U8<DF> db;
  const U16<DF> dw;
  const U32<DF> du;
  if constexpr (kBits == 8) {
    return hn::LoadU(db, p);
  } else if constexpr (kBits == 4) {
    const auto words = hn::PromoteTo(dw, hn::LoadU(hn::Rebind<uint8_t, U16<DF>>(), p));
    const auto pairs = kHighFirst ? hn::Or(hn::ShiftRight<4>(words), hn::ShiftLeft<8>(words))
                                  : hn::Or(words, hn::ShiftLeft<4>(words));
    return hn::BitCast(db, hn::And(pairs, hn::Set(dw, 0x0f0f)));
  } else if constexpr (kBits == 2) {
    const auto fours = hn::PromoteTo(du, hn::LoadU(hn::Rebind<uint8_t, U32<DF>>(), p));
    const auto spread = hn::Or(hn::Or(fours, hn::ShiftLeft<6>(fours)),
                               hn::Or(hn::ShiftLeft<12>(fours), hn::ShiftLeft<18>(fours)));
    return hn::BitCast(db, hn::And(spread, hn::Set(du, 0x03030303u)));
  } else {
    static_assert(kBits == 3);
    const hn::Repartition<uint64_t, DF> dl;
    alignas(64) uint64_t lanes[HWY_MAX_BYTES / 8] = {};
    for (size_t i = 0; i < hn::Lanes(dl); ++i) std::memcpy(&lanes[i], p + 3 * i, 3);
    const auto eights = hn::Load(dl, lanes);
    const auto fours =
        hn::BitCast(du, hn::And(hn::Or(eights, hn::ShiftLeft<20>(eights)), hn::Set(dl, 0x00000fff00000fffu)));
    const auto twos =
        hn::BitCast(dw, hn::And(hn::Or(fours, hn::ShiftLeft<10>(fours)), hn::Set(du, 0x003f003fu)));
    return hn::BitCast(db, hn::And(hn::Or(twos, hn::ShiftLeft<5>(twos)), hn::Set(dw, 0x0707)));
  }
}

// ---- Integers to values

// 2 N words in order, times a factor, to the target; no product saturates.
template <Float kTarget, class DF>
HWY_INLINE void store_scaled_words(DF df, Words<DF> words, Vec<DF> factor, Word<kTarget>* out) {
  const I32<DF> di;
  if constexpr (kTarget == Float::bf16) {
    const U16<DF> dw;
    const auto both = hn::BitCast(di, words);
    const auto even = hn::ConvertTo(df, hn::ShiftRight<16>(hn::ShiftLeft<16>(both)));
    const auto odd = hn::ConvertTo(df, hn::ShiftRight<16>(both));
    const auto low = hn::ShiftRight<16>(bf16_in_upper_half(df, hn::Mul(even, factor)));
    hn::StoreU(
        hn::OddEven(hn::BitCast(dw, bf16_in_upper_half(df, hn::Mul(odd, factor))), hn::BitCast(dw, low)), dw,
        out);
  } else {
    const hn::Rebind<int16_t, DF> dh;
    const auto first = hn::ConvertTo(df, hn::PromoteTo(di, hn::LowerHalf(dh, words)));
    const auto second = hn::ConvertTo(df, hn::PromoteTo(di, hn::UpperHalf(dh, words)));
    store_pair<kTarget>(df, hn::Mul(first, factor), hn::Mul(second, factor), out);
  }
}

// ---- For sums of errors

// The lanes of v in the tree of the fold.
template <class DF>
HWY_INLINE float folded_lanes([[maybe_unused]] DF df, Vec<DF> v) {
  if constexpr (hn::MaxLanes(DF()) > 4) {
    const hn::Half<DF> dh;
    return folded_lanes(dh, hn::Add(hn::LowerHalf(dh, v), hn::UpperHalf(dh, v)));
  } else {
    const auto twos = hn::Add(v, hn::Shuffle1032(v));
    return hn::GetLane(hn::Add(twos, hn::Shuffle2301(twos)));
  }
}

// A block as floats, filled up with zeros.
template <Float kType, class DF>
HWY_NOINLINE void load_padded(DF df, const Word<kType>* x, uint64_t size, uint64_t n, float* out) {
  const uint64_t lanes = hn::Lanes(df);
  uint64_t i = 0;
  for (; i + lanes <= size; i += lanes) hn::Store(load_floats<kType>(df, x + i), df, out + i);
  for (; i < size; ++i) out[i] = load(kType, x, i);
  for (; i < n; ++i) out[i] = 0;
}

// ---- The extremes of blocks

// Words of a source as signed and unsigned integers: as signed ones the largest is the largest positive
// number, as unsigned ones it is the negative number of the largest magnitude.
template <Float kType>
using Bits = std::conditional_t<kType == Float::f32, uint32_t, uint16_t>;

// 16 bytes of words.
template <Float kType>
using Row = hn::CappedTag<Bits<kType>, 16 / sizeof(Bits<kType>)>;

template <Float kType>
constexpr Bits<kType> kMagnitudeBits = static_cast<Bits<kType>>(~Bits<kType>{0}) >> 1;

template <class D>
HWY_INLINE auto largest_in_row([[maybe_unused]] D d, Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) == 16) {
    return v;
  } else {
    const hn::Half<D> dh;
    return largest_in_row(dh, hn::Max(hn::LowerHalf(dh, v), hn::UpperHalf(dh, v)));
  }
}

// The largest of n elements, a vector of candidates each: with kSigned the positive and the negative words,
// else the magnitudes, as `positive`.
template <Float kType, bool kSigned, class DF>
HWY_INLINE void block_candidates(DF, const Word<kType>* x, uint64_t n, Bits<kType>* positive_out,
                                 Bits<kType>* negative_out) {
  using T = Bits<kType>;
  const hn::Repartition<T, DF> du;
  const hn::RebindToSigned<decltype(du)> ds;
  constexpr T kSign = kMagnitudeBits<kType> + 1;
  const auto magnitude = hn::Set(du, kMagnitudeBits<kType>);
  const auto* words = reinterpret_cast<const T*>(x);
  const size_t lanes = hn::Lanes(du);
  // Signed numbers where the sign is cleared, or only positive ones win.
  const auto up = [&](size_t i) HWY_ATTR {
    const auto v = hn::LoadU(du, words + i * lanes);
    return hn::BitCast(ds, kSigned ? v : hn::And(v, magnitude));
  };
  const auto down = [&](size_t i) HWY_ATTR { return hn::LoadU(du, words + i * lanes); };
  auto positive = hn::Zero(ds), positive2 = positive;
  auto negative = hn::Set(du, kSign), negative2 = negative;
  for (; n >= 4 * lanes; n -= 4 * lanes, words += 4 * lanes) {
    positive = hn::Max(positive, hn::Max(up(0), up(1)));
    positive2 = hn::Max(positive2, hn::Max(up(2), up(3)));
    if constexpr (kSigned) {
      negative = hn::Max(negative, hn::Max(down(0), down(1)));
      negative2 = hn::Max(negative2, hn::Max(down(2), down(3)));
    }
  }
  positive = hn::Max(positive, positive2);
  negative = hn::Max(negative, negative2);
  for (; n >= lanes; n -= lanes, words += lanes) {
    positive = hn::Max(positive, up(0));
    if constexpr (kSigned) negative = hn::Max(negative, down(0));
  }
  hn::Store(hn::BitCast(du, positive), du, positive_out);
  if constexpr (kSigned) hn::Store(negative, du, negative_out);
  for (; n > 0; --n, ++words) {
    const T word = kSigned ? *words : static_cast<T>(*words & kMagnitudeBits<kType>);
    T& side = word & kSign ? negative_out[0] : positive_out[0];
    side = std::max(side, word);
  }
}

// The same of each of `blocks` blocks of kVectors vectors, one after the other: no bound of a loop is to be
// looked at within a block.
template <Float kType, bool kSigned, size_t kVectors, class DF>
HWY_INLINE void short_block_candidates(DF, const Word<kType>* x, uint64_t blocks, Bits<kType>* positive_out,
                                       Bits<kType>* negative_out) {
  using T = Bits<kType>;
  const hn::Repartition<T, DF> du;
  const hn::RebindToSigned<decltype(du)> ds;
  const auto sign = hn::Set(du, static_cast<T>(kMagnitudeBits<kType> + 1));
  const auto zero = hn::Zero(ds);
  const auto* words = reinterpret_cast<const T*>(x);
  const size_t lanes = hn::Lanes(du);
  for (uint64_t b = 0; b < blocks; ++b, words += kVectors * lanes) {
    const auto first = hn::LoadU(du, words);
    auto positive = hn::Max(zero, hn::BitCast(ds, kSigned ? first : hn::AndNot(sign, first)));
    auto negative = hn::Max(sign, first);
    for (size_t i = 1; i < kVectors; ++i) {
      const auto v = hn::LoadU(du, words + i * lanes);
      positive = hn::Max(positive, hn::BitCast(ds, kSigned ? v : hn::AndNot(sign, v)));
      negative = hn::Max(negative, v);
    }
    hn::Store(hn::BitCast(du, positive), du, positive_out + b * lanes);
    if constexpr (kSigned) hn::Store(negative, du, negative_out + b * lanes);
  }
}

// Vectors of words to the largest of each: as many vectors as 16 bytes have words.
template <class DU>
HWY_INLINE auto largest_of_vectors(DU du, const hn::TFromD<DU>* vectors) {
  const hn::Repartition<uint32_t, DU> d32;
  const hn::Repartition<uint64_t, DU> d64;
  const size_t lanes = hn::Lanes(du);
  // Within each 16 bytes: of two vectors, words side by side.
  const auto twos = [&](size_t i, size_t j) HWY_ATTR {
    const auto a = hn::Load(du, vectors + lanes * i), b = hn::Load(du, vectors + lanes * j);
    return hn::Max(hn::InterleaveLower(du, a, b), hn::InterleaveUpper(du, a, b));
  };
  const auto joined = [&](auto d, auto a, auto b) HWY_ATTR {
    const auto x = hn::BitCast(d, a), y = hn::BitCast(d, b);
    return hn::Max(hn::BitCast(du, hn::InterleaveLower(d, x, y)),
                   hn::BitCast(du, hn::InterleaveUpper(d, x, y)));
  };
  if constexpr (sizeof(hn::TFromD<DU>) == 2) {
    const auto a = joined(d32, twos(0, 1), twos(2, 3)), b = joined(d32, twos(4, 5), twos(6, 7));
    return largest_in_row(du, joined(d64, a, b));
  } else {
    return largest_in_row(du, joined(d64, twos(0, 1), twos(2, 3)));
  }
}

constexpr uint64_t kBatch = 16;

// The first element with these bits of magnitude; there is one.
template <Float kType, class DF>
HWY_INLINE float first_of_magnitude(DF, const Word<kType>* x, Bits<kType> magnitude) {
  const auto* words = reinterpret_cast<const Bits<kType>*>(x);
  while ((*words & kMagnitudeBits<kType>) != magnitude) ++words;
  return widened<kType>(*words);
}

// Magnitudes and signs of the extremes, as words; in `ties` the magnitudes that both signs have. False if an
// element is not finite. Where kSigned is not, all signs are +.
template <Float kType, bool kSigned, class DF>
HWY_INLINE bool extreme_words(DF df, const Word<kType>* x, uint64_t blocks, uint64_t size, Bits<kType>* bits,
                              Bits<kType>* ties, bool& any_tie) {
  using T = Bits<kType>;
  const Row<kType> dr;
  const hn::Repartition<T, DF> du;
  const size_t lanes = hn::Lanes(du);
  constexpr size_t kWords = hn::MaxLanes(Row<kType>());
  alignas(64) T positive[kBatch * hn::MaxLanes(du)], negative[kSigned ? kBatch * hn::MaxLanes(du) : 1];
  if (size == 2 * lanes) {
    short_block_candidates<kType, kSigned, 2>(df, x, blocks, positive, negative);
  } else if (size == 4 * lanes) {
    short_block_candidates<kType, kSigned, 4>(df, x, blocks, positive, negative);
  } else {
    for (uint64_t b = 0; b < blocks; ++b)
      block_candidates<kType, kSigned>(df, x + b * size, size, positive + b * lanes,
                                       negative + (kSigned ? b * lanes : 0));
  }
  const uint64_t filled = (blocks + kWords - 1) / kWords * kWords;
  if (filled != blocks) {
    std::memset(positive + blocks * lanes, 0, (filled - blocks) * lanes * sizeof(T));
    if (kSigned) std::memset(negative + blocks * lanes, 0, (filled - blocks) * lanes * sizeof(T));
  }
  auto worst = hn::Zero(dr), tied = worst;
  for (uint64_t b = 0; b < filled; b += kWords) {
    const auto up = largest_of_vectors(du, positive + b * lanes);
    if constexpr (kSigned) {
      const auto down =
          hn::And(largest_of_vectors(du, negative + b * lanes), hn::Set(dr, kMagnitudeBits<kType>));
      const auto largest = hn::Max(up, down);
      worst = hn::Max(worst, largest);
      // Equal and not zero: which came first has to be looked up.
      const auto tie = hn::And(hn::VecFromMask(dr, hn::Eq(up, down)), largest);
      tied = hn::Or(tied, tie);
      hn::Store(tie, dr, ties + b);
      const auto sign = hn::AndNot(hn::VecFromMask(dr, hn::Eq(up, largest)),
                                   hn::Set(dr, static_cast<T>(kMagnitudeBits<kType> + 1)));
      hn::Store(hn::Or(largest, sign), dr, bits + b);
    } else {
      worst = hn::Max(worst, up);
      hn::Store(up, dr, bits + b);
    }
  }
  for (uint64_t b = filled; b < kBatch; ++b) bits[b] = 0;
  any_tie = kSigned && !hn::AllTrue(dr, hn::Eq(tied, hn::Zero(dr)));
  alignas(16) T row[kWords];
  hn::Store(worst, dr, row);
  return *std::max_element(row, row + kWords) < infinity_bits<kType>();
}

// The first element with the largest magnitude of `blocks` <= kBatch blocks of `size` elements that lie one
// after the other, or unless `by_sign` its magnitude; +0 where all are zero, and in the places of blocks that
// are not there. False if an element is not finite.
template <Float kType, class DF>
HWY_NOINLINE bool block_extremes(DF df, const Word<kType>* x, uint64_t blocks, uint64_t size, bool by_sign,
                                 float* extremes) {
  alignas(64) Bits<kType> bits[kBatch], ties[kBatch];
  bool any_tie = false;
  if (!(by_sign ? extreme_words<kType, true>(df, x, blocks, size, bits, ties, any_tie)
                : extreme_words<kType, false>(df, x, blocks, size, bits, ties, any_tie)))
    return false;
  const hn::CappedTag<float, kBatch> db;
  for (uint64_t b = 0; b < kBatch; b += hn::Lanes(db))
    hn::Store(load_floats<kType>(db, reinterpret_cast<const Word<kType>*>(bits + b)), db, extremes + b);
  if (any_tie) {
    for (uint64_t b = 0; b < blocks; ++b)
      if (ties[b]) extremes[b] = first_of_magnitude<kType>(df, x + b * size, ties[b]);
  }
  return true;
}

// True if the bits of all magnitudes are below `limit`.
template <Float kType, class DF>
HWY_NOINLINE bool all_below(DF df, const Word<kType>* x, uint64_t n, uint32_t limit) {
  using T = Bits<kType>;
  const hn::Repartition<T, DF> du;
  const Row<kType> dr;
  alignas(64) T candidates[hn::MaxLanes(du)], row[hn::MaxLanes(dr)], none[1];
  block_candidates<kType, false>(df, x, n, candidates, none);
  hn::Store(largest_in_row(du, hn::Load(du, candidates)), dr, row);
  return *std::max_element(row, row + hn::MaxLanes(dr)) < limit;
}

template <Float kType, class DF>
HWY_INLINE bool all_finite(DF df, const Word<kType>* x, uint64_t n) {
  return all_below<kType>(df, x, n, infinity_bits<kType>());
}

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
#endif
HWY_AFTER_NAMESPACE();

#endif
