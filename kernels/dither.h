// Subtractive dither on block integers: an offset that sender and receivers draw alike is added before
// rounding and taken away after it, so that the error is uniform and does not depend on the value (Roberts,
// "Picture coding using pseudo-random noise", 1962; Schuchman, "Dither signals and their effect on
// quantization noise", 1964).
//
// By block, all in fp32 with one rounding an operation:
//   s = block_int's scale of x                                  grids absmax and sign
//   o = frac(u + shift) - 1/2                                   in [-1/2, 1/2)
//   code = clamp(round_half_even(x * (1 / s) + o)),             decoded: (code - o) * s
// u, of 24 bits, is the upper part of word e mod 4 of Philox4x32-10 with the counter (e / 4 in two words,
// period, tensor), e being the element of the tensor: a function of the key and of e alone, so that offsets
// are the same however a tensor is cut. With shift = i / n for i = 0 ... n - 1 and the same u, the errors of
// a constant add up to one rounding of a step n times finer.
#pragma once

#include "kernels/block_int.h"

namespace mlq::kernels {

struct DitherKey {
  PhiloxKey philox = {};
  uint32_t period = 0, tensor = 0;
  float shift = 0;  // in [0, 1)
};

// The offset of an element in units of the distance of two values.
float dither_offset(const DitherKey& key, uint64_t element);

// As block_int_encode, but that spec.grid is not mse. `first`: the element of the tensor at which x begins.
void dither_encode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                       uint64_t first, Float source, const void* x, uint8_t* codes, void* scales,
                       EncodeCounts* counts);
void dither_encode_simd(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                        uint64_t first, Float source, const void* x, uint8_t* codes, void* scales,
                        EncodeCounts* counts);
void dither_encode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                        uint64_t first, Float source, const void* x, uint8_t* codes, void* scales,
                        EncodeCounts* counts, Stream stream);

// As block_int_decode.
void dither_decode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                       uint64_t first, const uint8_t* codes, const void* scales, Float target, void* out,
                       uint64_t* saturated);
void dither_decode_simd(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                        uint64_t first, const uint8_t* codes, const void* scales, Float target, void* out,
                        uint64_t* saturated);
void dither_decode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key,
                        uint64_t first, const uint8_t* codes, const void* scales, Float target, void* out,
                        uint64_t* saturated, Stream stream);

}  // namespace mlq::kernels
