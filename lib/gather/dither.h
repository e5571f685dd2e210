// Subtractive dither: an offset that sender and receivers draw alike is added before rounding and taken away
// after it, so that the error is uniform and does not depend on the value (Schuchman 1964). Over a period of
// n gathers the offsets of an element are frac(u + i/n) - 1/2, i = 0 ... n - 1, with u drawn once: their
// errors for a constant weight add up to one rounding of a step n times finer.
#pragma once

#include <cstdint>

#include "kernels/block_int.h"

namespace mlq::gather {

// Which offsets: a function of seed, tensor, element of the tensor and step alone, so the same on any cut.
struct DitherKey {
  uint64_t seed = 1;
  uint32_t tensor = 0;
  uint64_t step = 0;
  unsigned strata = 1;
};

// The offset of an element in units of the distance of two values, in [-1/2, 1/2).
float dither_offset(const DitherKey& key, uint64_t element);

// As block_int_encode and block_int_decode with x / s + offset in the place of x / s, and the offset taken
// from the code; `first`: the element of the tensor at which x begins.
void dither_encode(const kernels::BlockIntSpec& spec, const kernels::BlockLayout& layout,
                   const DitherKey& key, uint64_t first, kernels::Float source, const void* x, uint8_t* codes,
                   void* scales, kernels::EncodeCounts* counts);
void dither_decode(const kernels::BlockIntSpec& spec, const kernels::BlockLayout& layout,
                   const DitherKey& key, uint64_t first, const uint8_t* codes, const void* scales,
                   kernels::Float target, void* out, uint64_t* saturated);

}  // namespace mlq::gather
