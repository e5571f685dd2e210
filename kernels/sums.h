// Statistics that are the same on any device, thread count and chunk size: fp64 sums over groups of kSumGroup
// elements, each folded in halves (the group padded with zeros, t[i] += t[i + 2048], then 1024 ...); the
// caller adds the groups of a tensor in element order. NaN and infinities count as 0 in sums and extremes, as
// encoders take them; an extreme that is zero is +0.
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

struct ValueSums {
  double x1 = 0, x2 = 0, x3 = 0,
         x4 = 0;           // sums of the powers, each computed in fp64: x*x, (x*x)*x, (x*x)*(x*x)
  float min = 0, max = 0;  // over the group; 0 for no element
  float extreme = 0;       // the first element with the largest magnitude
  uint32_t nan = 0, inf = 0, zero = 0, subnormal = 0;
  uint32_t pad = 0;
};
static_assert(sizeof(ValueSums) == 64);

struct ErrorSums {
  double x2 = 0;          // sum of x^2
  double e1 = 0, e2 = 0;  // sums of e and e^2, e = decoded - x in fp64
  float absmax = 0;       // largest |x|
  float max_error = 0;    // largest |e|, rounded to fp32
};
static_assert(sizeof(ErrorSums) == 32);

constexpr uint64_t sum_groups(uint64_t elems) { return (elems + kSumGroup - 1) / kSumGroup; }

// Writes sum_groups(elems) records. subnormal counts in the type `source`.
void value_sums_cpu(uint64_t elems, Float source, const void* x, ValueSums* sums);
void value_sums_simd(uint64_t elems, Float source, const void* x, ValueSums* sums);
void value_sums_cuda(uint64_t elems, Float source, const void* x, ValueSums* sums, Stream stream);

// `x` as read, `y` as decoded.
void error_sums_cpu(uint64_t elems, Float source, const void* x, Float target, const void* y,
                    ErrorSums* sums);
void error_sums_simd(uint64_t elems, Float source, const void* x, Float target, const void* y,
                     ErrorSums* sums);
void error_sums_cuda(uint64_t elems, Float source, const void* x, Float target, const void* y,
                     ErrorSums* sums, Stream stream);

// How often each exponent field occurs (256 counts for f32 and bf16, 32 for f16): adds to counts[256].
void exponent_counts(uint64_t elems, Float source, const void* x, uint64_t* counts);

}  // namespace mlq::kernels
