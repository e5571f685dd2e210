// Decoding of codes of up to 4 bits: the 16 values times the block's scale, rounded to the target, are a
// table in registers, one vector for each byte of a value.
#if defined(MLQ_KERNELS_SIMD_TABLES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MLQ_KERNELS_SIMD_TABLES_INL_H_
#undef MLQ_KERNELS_SIMD_TABLES_INL_H_
#else
#define MLQ_KERNELS_SIMD_TABLES_INL_H_
#endif

#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
#if HWY_TARGET != HWY_SCALAR
namespace mlq::kernels {
namespace HWY_NAMESPACE {

// Blocks of 16 bytes that InterleaveLower and InterleaveUpper work in: with two of them, halves change
// places.
template <class D>
HWY_INLINE Vec<D> first_half(D d, Vec<D> lower, Vec<D> upper) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) == 16) return lower;
  return hn::ConcatLowerLower(d, upper, lower);
}
template <class D>
HWY_INLINE Vec<D> second_half(D d, Vec<D> lower, Vec<D> upper) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) == 16) return upper;
  return hn::ConcatUpperUpper(d, upper, lower);
}

// 16 bytes in every block.
template <class DF>
HWY_INLINE Bytes<DF> repeated(DF, Vec<hn::CappedTag<uint8_t, 16>> v) {
  if constexpr (hn::MaxLanes(U8<DF>()) == 16) {
    return v;
  } else {
    return hn::Combine(U8<DF>(), v, v);
  }
}

// DF has 4 or 8 lanes.
template <Float kTarget, class DF>
struct ValueTable {
  using V = Bytes<DF>;
  V bytes0, bytes1, bytes2, bytes3;  // two of them for 16-bit targets

  ValueTable() = default;
  HWY_INLINE ValueTable(DF df, const float* values, float scale) {
    const hn::CappedTag<uint8_t, 16> db;
    const size_t n = hn::Lanes(df);
    const auto factor = hn::Set(df, scale);
    alignas(64) Word<kTarget> words[16];
    for (size_t i = 0; i < 16; i += 2 * n)
      store_pair<kTarget>(df, hn::Mul(hn::LoadU(df, values + i), factor),
                          hn::Mul(hn::LoadU(df, values + i + n), factor), words + i);
    const auto* at = reinterpret_cast<const uint8_t*>(words);
    if constexpr (kTarget == Float::f32) {
      const auto a = hn::Load(db, at), b = hn::Load(db, at + 16), c = hn::Load(db, at + 32),
                 d = hn::Load(db, at + 48);
      const auto even_ab = hn::ConcatEven(db, b, a), even_cd = hn::ConcatEven(db, d, c);
      const auto odd_ab = hn::ConcatOdd(db, b, a), odd_cd = hn::ConcatOdd(db, d, c);
      bytes0 = repeated(df, hn::ConcatEven(db, even_cd, even_ab));
      bytes1 = repeated(df, hn::ConcatEven(db, odd_cd, odd_ab));
      bytes2 = repeated(df, hn::ConcatOdd(db, even_cd, even_ab));
      bytes3 = repeated(df, hn::ConcatOdd(db, odd_cd, odd_ab));
    } else {
      const auto a = hn::Load(db, at), b = hn::Load(db, at + 16);
      bytes0 = repeated(df, hn::ConcatEven(db, b, a));
      bytes1 = repeated(df, hn::ConcatOdd(db, b, a));
    }
  }

  // 4 N values.
  HWY_INLINE void look_up(DF df, V codes, Word<kTarget>* out) const {
    const U8<DF> db;
    const U16<DF> dw;
    const auto byte0 = hn::TableLookupBytes(bytes0, codes), byte1 = hn::TableLookupBytes(bytes1, codes);
    const auto low0 = hn::BitCast(dw, hn::InterleaveLower(db, byte0, byte1));
    const auto low1 = hn::BitCast(dw, hn::InterleaveUpper(db, byte0, byte1));
    const size_t n = hn::Lanes(df);
    if constexpr (kTarget == Float::f32) {
      const auto byte2 = hn::TableLookupBytes(bytes2, codes), byte3 = hn::TableLookupBytes(bytes3, codes);
      const auto high0 = hn::BitCast(dw, hn::InterleaveLower(db, byte2, byte3));
      const auto high1 = hn::BitCast(dw, hn::InterleaveUpper(db, byte2, byte3));
      const auto a = hn::BitCast(df, hn::InterleaveLower(dw, low0, high0));
      const auto b = hn::BitCast(df, hn::InterleaveUpper(dw, low0, high0));
      const auto c = hn::BitCast(df, hn::InterleaveLower(dw, low1, high1));
      const auto d = hn::BitCast(df, hn::InterleaveUpper(dw, low1, high1));
      // With two blocks a vector: a has values 0-3 and 16-19, b 4-7 and 20-23, ...
      constexpr bool kTwo = hn::MaxLanes(DF()) == 8;
      hn::StoreU(first_half(df, a, b), df, out);
      hn::StoreU(kTwo ? first_half(df, c, d) : second_half(df, a, b), df, out + n);
      hn::StoreU(kTwo ? second_half(df, a, b) : first_half(df, c, d), df, out + 2 * n);
      hn::StoreU(second_half(df, c, d), df, out + 3 * n);
    } else {
      hn::StoreU(first_half(dw, low0, low1), dw, out);
      hn::StoreU(second_half(dw, low0, low1), dw, out + 2 * n);
    }
  }
};

// `size` codes, which begin on a byte.
template <Float kTarget, unsigned kBits, bool kHighFirst, class DF>
HWY_INLINE void decode_by_table(DF df, const ValueTable<kTarget, DF>& table, const uint8_t* codes,
                                uint64_t size, Word<kTarget>* out) {
  const size_t step = 4 * hn::Lanes(df);
  uint64_t i = 0;
  for (; i + step <= size; i += step)
    table.look_up(df, load_codes<kBits, kHighFirst>(df, codes + i * kBits / 8), out + i);
  if (i == size) return;
  uint8_t packed[HWY_MAX_BYTES] = {};
  Word<kTarget> rest[HWY_MAX_BYTES];
  std::memcpy(packed, codes + i * kBits / 8, ((size - i) * kBits + 7) / 8);
  table.look_up(df, load_codes<kBits, kHighFirst>(df, packed), rest);
  std::memcpy(out + i, rest, (size - i) * sizeof(Word<kTarget>));
}

// As with_tag_for of simd_blocks-inl.h, for vectors of at most 8 lanes.
template <class Work>
HWY_INLINE void with_short_tag_for([[maybe_unused]] uint64_t block, const Work& work) {
#if HWY_MAX_BYTES >= 32
  if (block >= 32) return work(hn::CappedTag<float, 8>());
#endif
  work(hn::CappedTag<float, 4>());
}

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
#endif
HWY_AFTER_NAMESPACE();

#endif
