#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sums_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include "kernels/simd-inl.h"
#include "kernels/sums.h"

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void GroupValueSums(uint64_t elems, Float source, const void* x, ValueSums* sums) {
  value_sums_cpu(elems, source, x, sums);
}
void GroupErrorSums(uint64_t elems, Float source, const void* x, Float target, const void* y,
                    ErrorSums* sums) {
  error_sums_cpu(elems, source, x, target, y, sums);
}
#else

// The tree of the fold: its first three steps add what lies 2048, 1024 and 512 elements apart, as it is read;
// the middle ones fold the 512 sums in memory; the last ones the lanes of a vector.
constexpr unsigned kLeaf = 8;
constexpr uint64_t kRows = kSumGroup / kLeaf;

template <class DD>
HWY_INLINE double folded_double_lanes([[maybe_unused]] DD dd, Vec<DD> v) {
  if constexpr (hn::MaxLanes(DD()) == 2) {
    return hn::GetLane(hn::Add(v, hn::Shuffle01(v)));
  } else {
    const hn::Half<DD> dh;
    return folded_double_lanes(dh, hn::Add(hn::LowerHalf(dh, v), hn::UpperHalf(dh, v)));
  }
}

// Destroys t[kRows].
template <class DD>
HWY_INLINE double folded_rows(DD dd, double* t) {
  const size_t lanes = hn::Lanes(dd);
  for (uint64_t n = kRows / 2; n >= lanes; n /= 2)
    for (uint64_t i = 0; i < n; i += lanes)
      hn::Store(hn::Add(hn::Load(dd, t + i), hn::Load(dd, t + i + n)), dd, t + i);
  return folded_double_lanes(dd, hn::Load(dd, t));
}

template <Float kType, class DD>
HWY_INLINE Vec<DD> load_doubles(DD dd, const Word<kType>* p) {
  return hn::PromoteTo(dd, load_floats<kType>(hn::Rebind<float, DD>(), p));
}

template <class DD>
struct Powers {
  Vec<DD> x1, x2, x3, x4;
};

// kCount vectors, `stride` elements apart.
template <Float kType, unsigned kCount, class DD>
HWY_INLINE Powers<DD> powers(DD dd, const Word<kType>* x, uint64_t stride) {
  if constexpr (kCount == 1) {
    const auto v = load_doubles<kType>(dd, x), square = hn::Mul(v, v);
    return {v, square, hn::Mul(square, v), hn::Mul(square, square)};
  } else {
    const auto a = powers<kType, kCount / 2>(dd, x, 2 * stride);
    const auto b = powers<kType, kCount / 2>(dd, x + stride, 2 * stride);
    return {hn::Add(a.x1, b.x1), hn::Add(a.x2, b.x2), hn::Add(a.x3, b.x3), hn::Add(a.x4, b.x4)};
  }
}

// Of a whole group of finite numbers, from their bits.
template <Float kType>
struct Counted {
  Bits<kType> positive, negative;  // the largest magnitudes
  uint32_t zero, subnormal;
};

template <Float kType, class DF>
HWY_INLINE Counted<kType> counted(DF df, const Word<kType>* x) {
  using T = Bits<kType>;
  const hn::Repartition<T, DF> du;
  alignas(64) T positive[hn::MaxLanes(du)], negative[hn::MaxLanes(du)];
  block_candidates<kType, true>(df, x, kSumGroup, positive, negative);
  const auto* words = reinterpret_cast<const T*>(x);
  const size_t lanes = hn::Lanes(du);
  const auto mask = hn::Set(du, kMagnitudeBits<kType>), zero = hn::Zero(du);
  constexpr T kNormal = kType == Float::f32 ? T(0x00800000u) : kType == Float::f16 ? T(0x0400) : T(0x0080);
  const auto normal = hn::Set(du, kNormal);
  auto zeros = zero, smalls = zero;  // minus the counts
  for (uint64_t i = 0; i < kSumGroup; i += lanes) {
    const auto magnitude = hn::And(hn::LoadU(du, words + i), mask);
    zeros = hn::Add(zeros, hn::VecFromMask(du, hn::Eq(magnitude, zero)));
    smalls = hn::Add(smalls, hn::VecFromMask(du, hn::Ne(hn::Max(magnitude, normal), magnitude)));
  }
  alignas(64) T lane_zeros[HWY_MAX_BYTES / sizeof(T)], lane_smalls[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(hn::Sub(zero, zeros), du, lane_zeros);
  hn::Store(hn::Sub(zero, smalls), du, lane_smalls);
  uint32_t all_zeros = 0, all_smalls = 0;
  for (size_t i = 0; i < lanes; ++i) {
    all_zeros += lane_zeros[i];
    all_smalls += lane_smalls[i];
  }
  return {*std::max_element(positive, positive + lanes),
          static_cast<T>(*std::max_element(negative, negative + lanes) & kMagnitudeBits<kType>), all_zeros,
          all_smalls - all_zeros};
}

template <Float kType, class DF>
HWY_INLINE void range_of(DF df, const Word<kType>* x, ValueSums& out) {
  auto least = load_floats<kType>(df, x), largest = least;
  for (uint64_t i = hn::Lanes(df); i < kSumGroup; i += hn::Lanes(df)) {
    const auto v = load_floats<kType>(df, x + i);
    least = hn::Min(least, v);
    largest = hn::Max(largest, v);
  }
  out.min = hn::GetLane(hn::MinOfLanes(df, least)) + 0.0f;  // -0 becomes +0
  out.max = hn::GetLane(hn::MaxOfLanes(df, largest)) + 0.0f;
}

// A whole group.
template <Float kType>
void value_group(const Word<kType>* x, ValueSums* sums) {
  const hn::CappedTag<float, 16> df;
  const hn::CappedTag<double, 8> dd;
  const Counted<kType> c = counted<kType>(df, x);
  const auto largest = std::max(c.positive, c.negative);
  if (largest >= infinity_bits<kType>()) return value_sums_cpu(kSumGroup, kType, x, sums);
  ValueSums out;
  out.zero = c.zero;
  out.subnormal = c.subnormal;
  range_of<kType>(df, x, out);
  if (c.positive != c.negative) {
    out.extreme = c.positive > c.negative ? widened<kType>(largest) : -widened<kType>(largest);
  } else if (largest > 0) {
    out.extreme = first_of_magnitude<kType>(df, x, largest);
  }
  alignas(64) double x1[kRows], x2[kRows], x3[kRows], x4[kRows];
  for (uint64_t i = 0; i < kRows; i += hn::Lanes(dd)) {
    const auto p = powers<kType, kLeaf>(dd, x + i, kRows);
    hn::Store(p.x1, dd, x1 + i);
    hn::Store(p.x2, dd, x2 + i);
    hn::Store(p.x3, dd, x3 + i);
    hn::Store(p.x4, dd, x4 + i);
  }
  out.x1 = folded_rows(dd, x1);
  out.x2 = folded_rows(dd, x2);
  out.x3 = folded_rows(dd, x3);
  out.x4 = folded_rows(dd, x4);
  *sums = out;
}

template <Float kType>
void value_groups(uint64_t elems, const void* x, ValueSums* sums) {
  const auto* in = static_cast<const Word<kType>*>(x);
  for (; elems >= kSumGroup; elems -= kSumGroup, in += kSumGroup) value_group<kType>(in, sums++);
  value_sums_cpu(elems, kType, in, sums);
}

void GroupValueSums(uint64_t elems, Float source, const void* x, ValueSums* sums) {
  with_float(source, [&]<Float kType>() { value_groups<kType>(elems, x, sums); });
}

// ---- Errors

template <class DD>
struct Errors {
  Vec<DD> x2, e1, e2, largest;
};

template <Float kSource, Float kTarget, unsigned kCount, class DD>
HWY_INLINE Errors<DD> errors(DD dd, const Word<kSource>* x, const Word<kTarget>* y, uint64_t stride) {
  if constexpr (kCount == 1) {
    const auto v = load_doubles<kSource>(dd, x), e = hn::Sub(load_doubles<kTarget>(dd, y), v);
    return {hn::Mul(v, v), e, hn::Mul(e, e), hn::Abs(e)};
  } else {
    const auto a = errors<kSource, kTarget, kCount / 2>(dd, x, y, 2 * stride);
    const auto b = errors<kSource, kTarget, kCount / 2>(dd, x + stride, y + stride, 2 * stride);
    return {hn::Add(a.x2, b.x2), hn::Add(a.e1, b.e1), hn::Add(a.e2, b.e2), hn::Max(a.largest, b.largest)};
  }
}

template <Float kSource, Float kTarget>
void error_group(const Word<kSource>* x, const Word<kTarget>* y, ErrorSums* sums) {
  const hn::CappedTag<float, 16> df;
  const hn::CappedTag<double, 8> dd;
  alignas(64) float extremes[kBatch];
  if (!block_extremes<kSource>(df, x, 1, kSumGroup, false, extremes) ||
      !all_finite<kTarget>(df, y, kSumGroup))
    return error_sums_cpu(kSumGroup, kSource, x, kTarget, y, sums);
  alignas(64) double x2[kRows], e1[kRows], e2[kRows], lanes[8] = {};
  auto largest = hn::Zero(dd);
  for (uint64_t i = 0; i < kRows; i += hn::Lanes(dd)) {
    const auto e = errors<kSource, kTarget, kLeaf>(dd, x + i, y + i, kRows);
    hn::Store(e.x2, dd, x2 + i);
    hn::Store(e.e1, dd, e1 + i);
    hn::Store(e.e2, dd, e2 + i);
    largest = hn::Max(largest, e.largest);
  }
  hn::Store(largest, dd, lanes);
  ErrorSums out;
  out.x2 = folded_rows(dd, x2);
  out.e1 = folded_rows(dd, e1);
  out.e2 = folded_rows(dd, e2);
  out.absmax = absolute(extremes[0]);
  out.max_error = static_cast<float>(*std::max_element(lanes, lanes + 8));
  *sums = out;
}

template <Float kSource, Float kTarget>
void error_groups(uint64_t elems, const void* x, const void* y, ErrorSums* sums) {
  const auto* in = static_cast<const Word<kSource>*>(x);
  const auto* decoded = static_cast<const Word<kTarget>*>(y);
  for (; elems >= kSumGroup; elems -= kSumGroup, in += kSumGroup, decoded += kSumGroup)
    error_group<kSource, kTarget>(in, decoded, sums++);
  error_sums_cpu(elems, kSource, in, kTarget, decoded, sums);
}

template <Float kSource>
void error_groups_from(uint64_t elems, const void* x, Float target, const void* y, ErrorSums* sums) {
  with_float(target, [&]<Float kType>() { error_groups<kSource, kType>(elems, x, y, sums); });
}

void GroupErrorSums(uint64_t elems, Float source, const void* x, Float target, const void* y,
                    ErrorSums* sums) {
  with_float(source, [&]<Float kType>() { error_groups_from<kType>(elems, x, target, y, sums); });
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(GroupValueSums);
HWY_EXPORT(GroupErrorSums);

void value_sums_simd(uint64_t elems, Float source, const void* x, ValueSums* sums) {
  HWY_DYNAMIC_DISPATCH(GroupValueSums)(elems, source, x, sums);
}
void error_sums_simd(uint64_t elems, Float source, const void* x, Float target, const void* y,
                     ErrorSums* sums) {
  HWY_DYNAMIC_DISPATCH(GroupErrorSums)(elems, source, x, target, y, sums);
}

}  // namespace mlq::kernels
#endif
