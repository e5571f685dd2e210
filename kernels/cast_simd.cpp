#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cast_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/cast.h"
#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void Cast(uint64_t elems, Float source, const void* x, Float target, void* out, uint64_t* saturated) {
  cast_cpu(elems, source, x, target, out, saturated);
}
void CountNonfinite(uint64_t elems, Float source, const void* x, uint64_t* nonfinite) {
  count_nonfinite_cpu(elems, source, x, nonfinite);
}
#else

constexpr uint64_t kPiece = 1024;

// Bits of the smallest magnitude of the source that is not finite, or that the target may have to cut.
template <Float kSource>
HWY_INLINE uint32_t first_rare(Float target) {
  if (kSource == Float::f32 && target == Float::bf16) return 0x7f7f0000u;
  if (kSource == Float::f32 && target == Float::f16) return bits_of(65504.0f);
  if (kSource == Float::bf16 && target == Float::f16) return bits_of(65504.0f) >> 16;
  return infinity_bits<kSource>();
}

template <Float kSource, Float kTarget>
void cast_as(uint64_t elems, const Word<kSource>* x, Word<kTarget>* out, uint64_t* saturated) {
  const hn::CappedTag<float, 16> df;
  const size_t n = hn::Lanes(df);
  for (uint64_t piece = 0; piece < elems; piece += kPiece) {
    const uint64_t end = std::min(elems, piece + kPiece);
    uint64_t i = piece;
    if (all_below<kSource>(df, x + piece, end - piece, first_rare<kSource>(kTarget)))
      for (; i + 2 * n <= end; i += 2 * n)
        store_pair<kTarget>(df, load_floats<kSource>(df, x + i), load_floats<kSource>(df, x + i + n),
                            out + i);
    cast_cpu(end - i, kSource, x + i, kTarget, out + i, saturated);
  }
}

template <Float kSource>
void cast_from(uint64_t elems, const void* x, Float target, void* out, uint64_t* saturated) {
  const auto* in = static_cast<const Word<kSource>*>(x);
  switch (target) {
    case Float::f32:
      return cast_as<kSource, Float::f32>(elems, in, static_cast<float*>(out), saturated);
    case Float::f16:
      return cast_as<kSource, Float::f16>(elems, in, static_cast<uint16_t*>(out), saturated);
    case Float::bf16:
      return cast_as<kSource, Float::bf16>(elems, in, static_cast<uint16_t*>(out), saturated);
  }
}

void Cast(uint64_t elems, Float source, const void* x, Float target, void* out, uint64_t* saturated) {
  with_float(source, [&]<Float kType>() { cast_from<kType>(elems, x, target, out, saturated); });
}

void CountNonfinite(uint64_t elems, Float source, const void* x, uint64_t* nonfinite) {
  const hn::CappedTag<float, 16> df;
  with_float(source, [&]<Float kType>() {
    const auto* in = static_cast<const Word<kType>*>(x);
    for (uint64_t piece = 0; piece < elems; piece += kPiece) {
      const uint64_t n = std::min(elems - piece, kPiece);
      if (!all_finite<kType>(df, in + piece, n)) count_nonfinite_cpu(n, kType, in + piece, nonfinite);
    }
  });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(Cast);
HWY_EXPORT(CountNonfinite);

void cast_simd(uint64_t elems, Float source, const void* x, Float target, void* out, uint64_t* saturated) {
  HWY_DYNAMIC_DISPATCH(Cast)(elems, source, x, target, out, saturated);
}

void count_nonfinite_simd(uint64_t elems, Float source, const void* x, uint64_t* nonfinite) {
  HWY_DYNAMIC_DISPATCH(CountNonfinite)(elems, source, x, nonfinite);
}

}  // namespace mlq::kernels
#endif
