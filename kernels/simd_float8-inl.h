// E4M3 and E5M2 bytes and their values.
#if defined(MLQ_KERNELS_SIMD_FLOAT8_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MLQ_KERNELS_SIMD_FLOAT8_INL_H_
#undef MLQ_KERNELS_SIMD_FLOAT8_INL_H_
#else
#define MLQ_KERNELS_SIMD_FLOAT8_INL_H_
#endif

#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
#if HWY_TARGET != HWY_SCALAR
namespace mlq::kernels {
namespace HWY_NAMESPACE {

// Codes of finite numbers, as signed bytes, which saturation leaves alone.
template <bool kE4m3, class DF>
HWY_INLINE Ints<DF> float8_codes(DF df, Vec<DF> v) {
  const I32<DF> di;
  const auto sign = hn::And(hn::BitCast(di, v), hn::Set(di, INT32_MIN));
  const auto magnitude = kE4m3 ? small_magnitude<3, 7>(df, hn::Abs(v), 448.0f)
                               : small_magnitude<2, 15>(df, hn::Abs(v), 57344.0f);
  return hn::Or(hn::ShiftRight<24>(sign), hn::BitCast(di, magnitude));
}

// The largest magnitude among codes.
HWY_INLINE uint8_t largest_float8(const uint8_t* codes, uint64_t n) {
  const hn::CappedTag<uint8_t, 64> db;
  const auto mask = hn::Set(db, 0x7f);
  const size_t lanes = hn::Lanes(db);
  auto largest = hn::Zero(db);
  for (; n >= lanes; n -= lanes, codes += lanes)
    largest = hn::Max(largest, hn::And(hn::LoadU(db, codes), mask));
  alignas(64) uint8_t bytes[HWY_MAX_BYTES];
  hn::Store(largest, db, bytes);
  uint8_t out = *std::max_element(bytes, bytes + lanes);
  for (; n > 0; --n, ++codes) out = std::max<uint8_t>(out, *codes & 0x7f);
  return out;
}

template <bool kE4m3, class DF>
HWY_INLINE Vec<DF> float8_values(DF df, const uint8_t* codes, Vec<DF> scale) {
  const U32<DF> du;
  const auto code = hn::PromoteTo(du, hn::LoadU(hn::Rebind<uint8_t, DF>(), codes));
  const auto magnitude = hn::And(code, hn::Set(du, 0x7f));
  const auto sign = hn::ShiftLeft<24>(hn::And(code, hn::Set(du, 0x80)));
  const auto value = kE4m3 ? small_value<3, 7>(df, magnitude) : small_value<2, 15>(df, magnitude);
  const auto with_sign = hn::Or(value, hn::BitCast(df, sign));
  return kE4m3 ? hn::Mul(with_sign, scale) : with_sign;
}

template <Float kTarget, bool kE4m3, class DF>
HWY_INLINE void decode_float8(DF df, const uint8_t* codes, float scale, uint64_t size, Word<kTarget>* out) {
  const size_t n = hn::Lanes(df);
  const auto factor = hn::Set(df, scale);
  for (; size >= 2 * n; size -= 2 * n, codes += 2 * n, out += 2 * n)
    store_pair<kTarget>(df, float8_values<kE4m3>(df, codes, factor),
                        float8_values<kE4m3>(df, codes + n, factor), out);
  for (; size > 0; --size, ++codes, ++out)
    store(kTarget, out, 0, kE4m3 ? f32_from_e4m3(*codes) * scale : f32_from_e5m2(*codes));
}

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
#endif
HWY_AFTER_NAMESPACE();

#endif
