#include <algorithm>

#include "kernels/block_walk.h"
#include "kernels/sums.h"

namespace mlq::kernels {
namespace {

// The exponent and mantissa fields of element i, as stored.
struct Fields {
  uint32_t exponent, mantissa;
};
Fields fields(Float source, const void* x, uint64_t i) {
  if (source == Float::f32) {
    const uint32_t bits = bits_of(static_cast<const float*>(x)[i]);
    return {(bits >> 23) & 255u, bits & 0x7fffffu};
  }
  const uint32_t bits = static_cast<const uint16_t*>(x)[i];
  return source == Float::f16 ? Fields{(bits >> 10) & 31u, bits & 0x3ffu}
                              : Fields{(bits >> 7) & 255u, bits & 0x7fu};
}

ValueSums value_group(uint64_t first, uint64_t size, Float source, const void* x) {
  ValueSums out;
  double powers[4][kSumGroup] = {};
  for (uint64_t i = 0; i < size; ++i) {
    const float raw = load(source, x, first + i);
    const uint32_t bits = magnitude_bits(raw);
    const Fields f = fields(source, x, first + i);
    out.nan += bits > 0x7f800000u;
    out.inf += bits == 0x7f800000u;
    out.zero += bits == 0;
    out.subnormal += f.exponent == 0 && f.mantissa != 0;
    const float v = finite_or_zero(raw);
    if (i == 0 || v < out.min) out.min = v;
    if (i == 0 || v > out.max) out.max = v;
    if (magnitude_bits(v) > magnitude_bits(out.extreme)) out.extreme = v;
    const double d = v, d2 = d * d;
    powers[0][i] = d;
    powers[1][i] = d2;
    powers[2][i] = d2 * d;
    powers[3][i] = d2 * d2;
  }
  out.min += 0.0f;  // -0 becomes +0
  out.max += 0.0f;
  out.x1 = folded(powers[0], kSumGroup);
  out.x2 = folded(powers[1], kSumGroup);
  out.x3 = folded(powers[2], kSumGroup);
  out.x4 = folded(powers[3], kSumGroup);
  return out;
}

ErrorSums error_group(uint64_t first, uint64_t size, Float source, const void* x, Float target,
                      const void* y) {
  ErrorSums out;
  double squares[kSumGroup] = {}, errors[kSumGroup] = {}, error_squares[kSumGroup] = {}, largest = 0;
  for (uint64_t i = 0; i < size; ++i) {
    const float v = finite_or_zero(load(source, x, first + i));
    const double d = v, e = static_cast<double>(finite_or_zero(load(target, y, first + i))) - d;
    squares[i] = d * d;
    errors[i] = e;
    error_squares[i] = e * e;
    out.absmax = std::max(out.absmax, absolute(v));
    largest = std::max(largest, e < 0 ? -e : e);
  }
  out.x2 = folded(squares, kSumGroup);
  out.e1 = folded(errors, kSumGroup);
  out.e2 = folded(error_squares, kSumGroup);
  out.max_error = static_cast<float>(largest);
  return out;
}

}  // namespace

void value_sums_cpu(uint64_t elems, Float source, const void* x, ValueSums* sums) {
  for (uint64_t first = 0; first < elems; first += kSumGroup)
    *sums++ = value_group(first, std::min(kSumGroup, elems - first), source, x);
}

void error_sums_cpu(uint64_t elems, Float source, const void* x, Float target, const void* y,
                    ErrorSums* sums) {
  for (uint64_t first = 0; first < elems; first += kSumGroup)
    *sums++ = error_group(first, std::min(kSumGroup, elems - first), source, x, target, y);
}

void exponent_counts(uint64_t elems, Float source, const void* x, uint64_t* counts) {
  for (uint64_t i = 0; i < elems; ++i) ++counts[fields(source, x, i).exponent];
}

}  // namespace mlq::kernels
