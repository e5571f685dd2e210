#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/delta_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/cast.h"
#include "kernels/delta.h"
#include "kernels/simd-inl.h"
#include "kernels/simd_tiles.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void DeltaDifference(uint64_t n, Float source, const void* w, Float state_type, const void* state, float* d) {
  for (uint64_t i = 0; i < n; ++i) d[i] = load(source, w, i) - load(state_type, state, i);
}
void DeltaAdd(uint64_t n, Float state_type, void* state, float* d, uint64_t* saturated) {
  for (uint64_t i = 0; i < n; ++i)
    *saturated += store_decoded(state_type, state, i, load(state_type, state, i) + d[i]);
}
#else

template <Float kSource, Float kState>
HWY_INLINE void difference(uint64_t n, const Word<kSource>* w, const Word<kState>* state, float* d) {
  const hn::CappedTag<float, 16> df;
  const size_t lanes = hn::Lanes(df);
  uint64_t i = 0;
  // Without F16C no f16 is widened to what is not finite.
  const bool usual = kSource != Float::f16 || all_finite<kSource>(df, w, n);
  for (; usual && i + lanes <= n; i += lanes)
    hn::StoreU(hn::Sub(load_floats<kSource>(df, w + i), load_floats<kState>(df, state + i)), df, d + i);
  for (; i < n; ++i) d[i] = load(kSource, w, i) - load(kState, state, i);
}

template <Float kSource>
HWY_INLINE void difference_from(uint64_t n, const void* w, Float state_type, const void* state, float* d) {
  const auto* in = static_cast<const Word<kSource>*>(w);
  switch (state_type) {
    case Float::f32:
      return difference<kSource, Float::f32>(n, in, static_cast<const float*>(state), d);
    case Float::f16:
      return difference<kSource, Float::f16>(n, in, static_cast<const uint16_t*>(state), d);
    case Float::bf16:
      return difference<kSource, Float::bf16>(n, in, static_cast<const uint16_t*>(state), d);
  }
}

void DeltaDifference(uint64_t n, Float source, const void* w, Float state_type, const void* state, float* d) {
  switch (source) {
    case Float::f32:
      return difference_from<Float::f32>(n, w, state_type, state, d);
    case Float::f16:
      return difference_from<Float::f16>(n, w, state_type, state, d);
    case Float::bf16:
      return difference_from<Float::bf16>(n, w, state_type, state, d);
  }
}

template <Float kState>
HWY_INLINE void add(uint64_t n, Word<kState>* state, float* d, uint64_t* saturated) {
  const hn::CappedTag<float, 16> df;
  const size_t lanes = hn::Lanes(df);
  uint64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::Add(load_floats<kState>(df, state + i), hn::LoadU(df, d + i)), df, d + i);
  for (; i < n; ++i) d[i] = load(kState, state, i) + d[i];
  if (all_finite<Float::f32>(df, d, n)) return cast_simd(n, Float::f32, d, kState, state, saturated);
  for (i = 0; i < n; ++i) *saturated += store_decoded(kState, state, i, d[i]);
}

void DeltaAdd(uint64_t n, Float state_type, void* state, float* d, uint64_t* saturated) {
  switch (state_type) {
    case Float::f32:
      return add<Float::f32>(n, static_cast<float*>(state), d, saturated);
    case Float::f16:
      return add<Float::f16>(n, static_cast<uint16_t*>(state), d, saturated);
    case Float::bf16:
      return add<Float::bf16>(n, static_cast<uint16_t*>(state), d, saturated);
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(DeltaDifference);
HWY_EXPORT(DeltaAdd);

namespace {

void apply_tile(const BlockIntSpec& spec, const Tile& tile, const uint8_t* codes, const void* scales,
                Float state_type, void* state, float* d, uint64_t* saturated) {
  uint64_t cut = 0;  // a product that is cut is seen in the sum
  block_int_decode_simd(spec, tile.layout, codes + tile.code, element(scales, spec.scale, tile.block),
                        Float::f32, d, &cut);
  HWY_DYNAMIC_DISPATCH(DeltaAdd)
  (tile.layout.cols, state_type, element(state, state_type, tile.first), d, saturated);
}

}  // namespace

void delta_encode_simd(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* w,
                       Float state_type, void* state, uint8_t* codes, void* scales, EncodeCounts* counts,
                       uint64_t* saturated) {
  alignas(64) float d[kDeltaLargestBlock];
  for_each_tile(layout, spec.bits, [&](const Tile& tile) {
    HWY_DYNAMIC_DISPATCH(DeltaDifference)
    (tile.layout.cols, source, element(w, source, tile.first), state_type,
     element(state, state_type, tile.first), d);
    block_int_encode_simd(spec, tile.layout, Float::f32, d, codes + tile.code,
                          element(scales, spec.scale, tile.block), counts);
    apply_tile(spec, tile, codes, scales, state_type, state, d, saturated);
  });
}

void delta_apply_simd(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const void* scales, Float state_type, void* state, uint64_t* saturated) {
  alignas(64) float d[kDeltaLargestBlock];
  for_each_tile(layout, spec.bits, [&](const Tile& tile) {
    apply_tile(spec, tile, codes, scales, state_type, state, d, saturated);
  });
}

}  // namespace mlq::kernels
#endif
