#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/feedback_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/feedback_math.h"
#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void Compensate(uint64_t n, Float source, const void* w, float beta, const float* residual, float* x) {
  feedback_compensate_cpu(n, source, w, beta, residual, x);
}
void Residual(uint64_t n, const float* x, Float held_type, const void* held, float* residual) {
  feedback_residual_cpu(n, x, held_type, held, residual);
}
#else

constexpr uint64_t kPiece = 1024;

template <class DF>
HWY_INLINE hn::Mask<DF> are_finite(DF df, Vec<DF> v) {
  return hn::Lt(hn::Abs(v), hn::BitCast(df, hn::Set(U32<DF>(), 0x7f800000u)));
}

template <Float kSource>
HWY_INLINE void compensate(uint64_t n, const Word<kSource>* w, float beta, const float* residual, float* x) {
  const hn::CappedTag<float, 16> df;
  const size_t lanes = hn::Lanes(df);
  const auto factor = hn::Set(df, beta), unfit = hn::BitCast(df, hn::Set(U32<decltype(df)>(), kUnfitBits));
  for (uint64_t piece = 0; piece < n; piece += kPiece) {
    const uint64_t end = std::min(n, piece + kPiece);
    uint64_t i = piece;
    // Without F16C no f16 is widened to what is not finite.
    if (kSource != Float::f16 || all_finite<kSource>(df, w + piece, end - piece))
      for (; i + lanes <= end; i += lanes) {
        const auto v = hn::Add(load_floats<kSource>(df, w + i), hn::Mul(factor, hn::LoadU(df, residual + i)));
        hn::StoreU(hn::IfThenElse(are_finite(df, v), v, unfit), df, x + i);
      }
    feedback_compensate_cpu(end - i, kSource, w + i, beta, residual + i, x + i);
  }
}

void Compensate(uint64_t n, Float source, const void* w, float beta, const float* residual, float* x) {
  with_float(source, [&]<Float kSource>() {
    compensate<kSource>(n, static_cast<const Word<kSource>*>(w), beta, residual, x);
  });
}

template <Float kHeld>
HWY_INLINE void residual_from(uint64_t n, const float* x, const Word<kHeld>* held, float* residual) {
  const hn::CappedTag<float, 16> df;
  const size_t lanes = hn::Lanes(df);
  uint64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(df, x + i);
    hn::StoreU(hn::Sub(hn::IfThenElseZero(are_finite(df, v), v), load_floats<kHeld>(df, held + i)), df,
               residual + i);
  }
  feedback_residual_cpu(n - i, x + i, kHeld, held + i, residual + i);
}

void Residual(uint64_t n, const float* x, Float held_type, const void* held, float* residual) {
  with_float(held_type, [&]<Float kHeld>() {
    residual_from<kHeld>(n, x, static_cast<const Word<kHeld>*>(held), residual);
  });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(Compensate);
HWY_EXPORT(Residual);

void feedback_compensate_simd(uint64_t elems, Float source, const void* w, float beta, const float* residual,
                              float* x) {
  HWY_DYNAMIC_DISPATCH(Compensate)(elems, source, w, beta, residual, x);
}

void feedback_residual_simd(uint64_t elems, const float* x, Float held_type, const void* held,
                            float* residual) {
  HWY_DYNAMIC_DISPATCH(Residual)(elems, x, held_type, held, residual);
}

}  // namespace mlq::kernels
#endif
