#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dither_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/cast.h"
#include "kernels/dither_math.h"
#include "kernels/simd-inl.h"
#include "kernels/simd_tiles.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void DitherOffsets(const DitherKey& key, uint64_t group, uint64_t n, float* offsets) {
  for (uint64_t i = 0; i < n; ++i) offsets[i] = dither_offset(key, group * kDitherGroup + i);
}
void DitherAdd(uint64_t n, Float source, const void* x, float inverse, const float* offsets, float* v) {
  for (uint64_t i = 0; i < n; ++i) v[i] = dithered(finite_or_zero(load(source, x, i)), inverse, offsets[i]);
}
void DitherTake(uint64_t n, const float* offsets, float scale, float* y) {
  for (uint64_t i = 0; i < n; ++i) y[i] = undithered(y[i], offsets[i], scale);
}
void DitherStore(uint64_t n, const float* y, Float target, void* out, uint64_t* saturated) {
  for (uint64_t i = 0; i < n; ++i) *saturated += store_decoded(target, out, i, y[i]);
}
#else

// Philox of as many groups as there are lanes of 64 bits. Words are the lower halves of lanes; what is left
// in the upper halves no multiplication sees.
template <class D64>
struct Words4 {
  Vec<D64> c0, c1, c2, c3;
};
template <class DF, class D64>
HWY_INLINE Words4<D64> philox(DF, D64 dl, Vec<D64> groups, const DitherKey& key) {
  const U32<DF> du;
  const auto multiplier0 = hn::Set(du, philox_multiplier0), multiplier1 = hn::Set(du, philox_multiplier1);
  Words4<D64> c = {groups, hn::ShiftRight<32>(groups), hn::Set(dl, key.period), hn::Set(dl, key.tensor)};
  PhiloxKey k = key.philox;
  for (int round = 0; round < 10; ++round) {
    const auto p0 = hn::MulEven(multiplier0, hn::BitCast(du, c.c0));
    const auto p1 = hn::MulEven(multiplier1, hn::BitCast(du, c.c2));
    c = {hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c.c1), hn::Set(dl, k.k0)), p1,
         hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c.c3), hn::Set(dl, k.k1)), p0};
    k.k0 += philox_step0;
    k.k1 += philox_step1;
  }
  return c;
}

template <class DF>
HWY_INLINE Vec<DF> offsets_of(DF df, Vec<U32<DF> > words, Vec<DF> shift) {
  const I32<DF> di;
  const auto one = hn::Set(df, 1.0f);
  const auto number = hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<8>(words)));
  const auto u = hn::Add(hn::Mul(number, hn::Set(df, 0x1p-24f)), shift);
  return hn::Sub(hn::IfThenElse(hn::Ge(u, one), hn::Sub(u, one), u), hn::Set(df, 0.5f));
}

// Those of n elements, the first of which is the first of a group; writes up to kBeyond more.
void DitherOffsets(const DitherKey& key, uint64_t group, uint64_t n, float* offsets) {
  const hn::CappedTag<float, 16> df;
  const U32<decltype(df)> du;
  const hn::Repartition<uint64_t, decltype(df)> dl;
  const size_t lanes = hn::Lanes(df), groups = hn::Lanes(dl);
  // So that interleaving, which keeps to blocks of 128 bits, puts elements in their order.
  alignas(64) uint64_t order[hn::MaxLanes(dl)];
  for (size_t i = 0; i < groups; ++i) order[i] = group + i / 2 + i % 2 * (groups / 2);
  const auto low = hn::Set(dl, 0xffffffffu);
  const auto shift = hn::Set(df, key.shift);
  auto at = hn::Load(dl, order);
  for (uint64_t i = 0; i < n; i += 2 * lanes) {
    const auto c = philox(df, dl, at, key);
    const auto first = hn::Or(hn::And(c.c0, low), hn::ShiftLeft<32>(c.c1));
    const auto second = hn::Or(hn::And(c.c2, low), hn::ShiftLeft<32>(c.c3));
    hn::StoreU(offsets_of(df, hn::BitCast(du, hn::InterleaveLower(dl, first, second)), shift), df,
               offsets + i);
    hn::StoreU(offsets_of(df, hn::BitCast(du, hn::InterleaveUpper(dl, first, second)), shift), df,
               offsets + i + lanes);
    at = hn::Add(at, hn::Set(dl, groups));
  }
}

template <Float kSource>
HWY_INLINE void add(uint64_t n, const Word<kSource>* x, float inverse, const float* offsets, float* v) {
  const hn::CappedTag<float, 16> df;
  const size_t lanes = hn::Lanes(df);
  const auto factor = hn::Set(df, inverse);
  const auto infinite = hn::BitCast(df, hn::Set(U32<decltype(df)>(), 0x7f800000u));
  uint64_t i = 0;
  // Without F16C no f16 is widened to what is not finite.
  const bool usual = kSource != Float::f16 || all_finite<kSource>(df, x, n);
  for (; usual && i + lanes <= n; i += lanes) {
    const auto value = load_floats<kSource>(df, x + i);
    const auto finite = hn::IfThenElseZero(hn::Lt(hn::Abs(value), infinite), value);
    hn::StoreU(hn::Add(hn::Mul(finite, factor), hn::LoadU(df, offsets + i)), df, v + i);
  }
  for (; i < n; ++i) v[i] = dithered(finite_or_zero(load(kSource, x, i)), inverse, offsets[i]);
}

void DitherAdd(uint64_t n, Float source, const void* x, float inverse, const float* offsets, float* v) {
  with_float(source, [&]<Float kSource>() {
    add<kSource>(n, static_cast<const Word<kSource>*>(x), inverse, offsets, v);
  });
}

void DitherTake(uint64_t n, const float* offsets, float scale, float* y) {
  const hn::CappedTag<float, 16> df;
  const size_t lanes = hn::Lanes(df);
  const auto factor = hn::Set(df, scale);
  uint64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::Mul(hn::Sub(hn::LoadU(df, y + i), hn::LoadU(df, offsets + i)), factor), df, y + i);
  for (; i < n; ++i) y[i] = undithered(y[i], offsets[i], scale);
}

void DitherStore(uint64_t n, const float* y, Float target, void* out, uint64_t* saturated) {
  const hn::CappedTag<float, 16> df;
  if (all_finite<Float::f32>(df, y, n)) return cast_simd(n, Float::f32, y, target, out, saturated);
  for (uint64_t i = 0; i < n; ++i) *saturated += store_decoded(target, out, i, y[i]);
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(DitherOffsets);
HWY_EXPORT(DitherAdd);
HWY_EXPORT(DitherTake);
HWY_EXPORT(DitherStore);

namespace {

constexpr uint64_t kBeyond = 2 * 16;  // two of the longest vectors

// At most kTile elements of a tile, with their offsets.
class Stretch {
 public:
  Stretch(const DitherKey& key, uint64_t element, uint64_t first, uint64_t size)
      : first_(first), size_(size), skipped_(element % kDitherGroup) {
    HWY_DYNAMIC_DISPATCH(DitherOffsets)(key, element / kDitherGroup, skipped_ + size, drawn_);
  }
  // Calls visit(first, size, scale, offsets) for what lies in each block, `first` counted from the stretch's.
  template <class Visit>
  void for_each_block(const BlockIntSpec& spec, const Tile& tile, const void* scales,
                      const Visit& visit) const {
    for (uint64_t i = first_, next; i < first_ + size_; i = next) {
      const uint64_t block = i / tile.layout.block;
      next = std::min((block + 1) * tile.layout.block, first_ + size_);
      visit(i - first_, next - i, load(spec.scale, scales, tile.block + block),
            drawn_ + skipped_ + (i - first_));
    }
  }
  uint64_t first() const { return first_; }
  uint64_t size() const { return size_; }
  BlockLayout one_row() const { return {1, size_, size_}; }

 private:
  uint64_t first_, size_, skipped_;
  alignas(64) float drawn_[kTile + kDitherGroup + kBeyond];
};

template <class Visit>
void for_each_stretch(const Tile& tile, const DitherKey& key, uint64_t first, const Visit& visit) {
  for (uint64_t i = 0; i < tile.layout.cols; i += kTile)
    visit(Stretch(key, first + tile.first + i, i, std::min(kTile, tile.layout.cols - i)));
}

}  // namespace

void dither_encode_simd(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                        uint64_t first, Float source, const void* x, uint8_t* codes, void* scales,
                        EncodeCounts* counts) {
  alignas(64) float v[kTile];
  for_each_tile(layout, spec.bits, [&](const Tile& tile) {
    const uint8_t* from = element(x, source, tile.first);
    // For the scales and the counts.
    block_int_encode_simd(spec, tile.layout, source, from, codes + tile.code,
                          element(scales, spec.scale, tile.block), counts);
    for_each_stretch(tile, key, first, [&](const Stretch& stretch) {
      stretch.for_each_block(
          spec, tile, scales, [&](uint64_t i, uint64_t n, float scale, const float* offsets) {
            HWY_DYNAMIC_DISPATCH(DitherAdd)
            (n, source, element(from, source, stretch.first() + i), inverse_of(scale), offsets, v + i);
          });
      EncodeCounts none;  // all is finite
      block_int_encode_scaled_simd(spec, stretch.one_row(), Float::f32, v, 1,
                                   codes + tile.code + stretch.first() * spec.bits / 8, &none);
    });
  });
}

void dither_decode_simd(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                        uint64_t first, const uint8_t* codes, const void* scales, Float target, void* out,
                        uint64_t* saturated) {
  alignas(64) float y[kTile];
  const BlockIntSpec plain{spec.bits, spec.grid, Float::f32, false};
  const float one = 1;
  for_each_tile(layout, spec.bits, [&](const Tile& tile) {
    for_each_stretch(tile, key, first, [&](const Stretch& stretch) {
      uint64_t cut = 0;  // none is
      block_int_decode_simd(plain, stretch.one_row(), codes + tile.code + stretch.first() * spec.bits / 8,
                            &one, Float::f32, y, &cut);
      stretch.for_each_block(spec, tile, scales,
                             [&](uint64_t i, uint64_t n, float scale, const float* offsets) {
                               HWY_DYNAMIC_DISPATCH(DitherTake)(n, offsets, scale, y + i);
                             });
      HWY_DYNAMIC_DISPATCH(DitherStore)
      (stretch.size(), y, target, element(out, target, tile.first + stretch.first()), saturated);
    });
  });
}

}  // namespace mlq::kernels
#endif
