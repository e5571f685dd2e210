// E2M1 codes, and what MX and NVFP4 share: small blocks of one size in batches, errors folded over a block.
#if defined(MLQ_KERNELS_SIMD_E2M1_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MLQ_KERNELS_SIMD_E2M1_INL_H_
#undef MLQ_KERNELS_SIMD_E2M1_INL_H_
#else
#define MLQ_KERNELS_SIMD_E2M1_INL_H_
#endif

#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
#if HWY_TARGET != HWY_SCALAR
namespace mlq::kernels {
namespace HWY_NAMESPACE {

alignas(64) constexpr float kE2m1Values[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                               -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

template <class DF>
HWY_INLINE Ints<DF> e2m1_codes(DF df, Vec<DF> v) {
  const U32<DF> du;
  const auto sign = hn::ShiftLeft<3>(hn::ShiftRight<31>(hn::BitCast(du, v)));
  return hn::BitCast(I32<DF>(), hn::Or(sign, small_magnitude<1, 1>(df, hn::Abs(v), 6.0f)));
}

// The magnitude of the value of v's code.
template <class DF>
HWY_INLINE Vec<DF> e2m1_rounded(DF df, Vec<DF> v) {
  return small_value<1, 1>(df, small_magnitude<1, 1>(df, hn::Abs(v), 6.0f));
}

// The sum of error(v) over the vectors of x[kSize], in the tree of the fold.
template <unsigned kVectors, class DF, class Error>
HWY_INLINE Vec<DF> folded_vectors(DF df, const float* x, uint64_t stride, const Error& error) {
  if constexpr (kVectors == 1) {
    return error(hn::Load(df, x));
  } else {
    return hn::Add(folded_vectors<kVectors / 2>(df, x, 2 * stride, error),
                   folded_vectors<kVectors / 2>(df, x + stride, 2 * stride, error));
  }
}
template <unsigned kSize, class DF, class Error>
HWY_INLINE float folded_block(DF df, const float* x, const Error& error) {
  constexpr unsigned kLanes = static_cast<unsigned>(hn::MaxLanes(DF()));
  return folded_lanes(df, folded_vectors<kSize / kLanes>(df, x, kLanes, error));
}

// Blocks of one row that lie one after the other.
struct Batch {
  uint64_t index, blocks, size;  // of the first block; how many; elements of each
  uint64_t first, row, col;      // of the first element
};

template <class Visit>
HWY_INLINE void for_each_batch(const BlockLayout& layout, const Visit& visit) {
  uint64_t index = 0;
  for (uint64_t row = 0; row < layout.rows; ++row)
    for (uint64_t col = 0; col < layout.cols;) {
      const uint64_t left = layout.cols - col, size = std::min(left, layout.block);
      const uint64_t blocks = std::max<uint64_t>(1, std::min(left / layout.block, kBatch));
      visit(Batch{index, blocks, size, row * layout.cols + col, row, col});
      index += blocks;
      col += blocks * size;
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
#endif
HWY_AFTER_NAMESPACE();

#endif
