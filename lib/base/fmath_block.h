// The functions of lib/base/fmath.h and the uniforms of lib/base/random.h over arrays, as vector code. Bit
// for bit what the scalar calls give, on every machine. `out` may be the same array as `x`, but must not
// overlap it otherwise. Thread-safe, never fail.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/philox.h"

namespace mlq::fmath {

void log_block(const double* x, double* out, size_t n);
void exp_block(const double* x, double* out, size_t n);
void normal_quantile_block(const double* p, double* out, size_t n);

// The uniforms of draw `draw`, stream `stream` of the events first_index to first_index + n - 1: what
// RandomStream::uniforms gives for each. b may be null. The arrays must not overlap.
void uniform_block(PhiloxKey key, uint64_t first_index, uint32_t draw, uint32_t stream, double* a, double* b,
                   size_t n);

}  // namespace mlq::fmath
