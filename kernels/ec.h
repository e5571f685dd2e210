// Codes of one uniform step a tensor, to be entropy-coded: q = round_half_even(x * (1 / step)).
//
// Narrow: one plane, byte q + 128 for |q| <= 127; 0 marks an escape. Wide: two planes, the low and the high
// byte of q + 32768 for |q| <= 32767; 0 in both marks an escape. An escaped element is stored as it is, in
// element order, so it is exact. Decoded: q * step, rounded once to the target; an escape widened and rounded
// to the target. NaN and infinities are encoded as +0 and counted.
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

// `codes`: `elems` bytes (narrow: low, with high null); escapes: room for `elems` of `source`. Returns the
// number of escapes written. step is a normal number > 0 whose reciprocal is normal too.
uint64_t ec_encode_cpu(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                       void* escapes, EncodeCounts* counts);
uint64_t ec_encode_simd(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                        void* escapes, EncodeCounts* counts);
// The number of escapes is written to *escape_count; scratch: ec_scratch_bytes(elems) on the device.
uint64_t ec_scratch_bytes(uint64_t elems);
void ec_encode_cuda(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                    void* escapes, uint64_t* escape_count, void* scratch, EncodeCounts* counts,
                    Stream stream);

// `escapes`: as many of `source` as there are marks; `target` elements out.
void ec_decode_cpu(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                   const void* escapes, Float target, void* out, uint64_t* saturated);
void ec_decode_simd(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                    const void* escapes, Float target, void* out, uint64_t* saturated);
void ec_decode_cuda(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                    const void* escapes, Float target, void* out, void* scratch, uint64_t* saturated,
                    Stream stream);

}  // namespace mlq::kernels
