// Closed-loop delta quantisation: what is coded is the difference of a tensor w to what the receivers hold of
// it, and the sender's copy of that, the state, moves by the very function the receivers use. So errors do
// not add up: each is in the next difference.
//
// By block, all in fp32 with one rounding an operation:
//   d = w - state                        what is not finite counts as +0 and is counted
//   codes, s = block_int of d            block_int.h: grids, scales, packing
//   state = R(state + code * s)          R: rounding to the state's type, saturating
// With c the relative error of block_int and independent updates of spread u, the error settles at
// c u / sqrt(1 - c^2) beside the rounding of the state (a geometric series: each step keeps c^2 of the
// error's energy and adds c^2 u^2).
//
// Blocks have at most kDeltaLargestBlock elements; the state is finite. A sum or product beyond fp32 is cut
// to its largest. The error of a step is that of sums.h between w and the new state.
#pragma once

#include "kernels/block_int.h"

namespace mlq::kernels {

inline constexpr uint64_t kDeltaLargestBlock = 16384;

// `w`: layout.elems() of `source`. `state`: as many of `state_type`, changed. `codes`, `scales`: as
// block_int_encode has them. Adds to `counts`, and to *saturated the elements of the state that were cut.
void delta_encode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* w,
                      Float state_type, void* state, uint8_t* codes, void* scales, EncodeCounts* counts,
                      uint64_t* saturated);
void delta_encode_simd(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* w,
                       Float state_type, void* state, uint8_t* codes, void* scales, EncodeCounts* counts,
                       uint64_t* saturated);
void delta_encode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* w,
                       Float state_type, void* state, uint8_t* codes, void* scales, EncodeCounts* counts,
                       uint64_t* saturated, Stream stream);

// The last step alone: what a receiver does with codes and scales, which are finite.
void delta_apply_cpu(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                     const void* scales, Float state_type, void* state, uint64_t* saturated);
void delta_apply_simd(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const void* scales, Float state_type, void* state, uint64_t* saturated);
void delta_apply_cuda(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const void* scales, Float state_type, void* state, uint64_t* saturated, Stream stream);

}  // namespace mlq::kernels
