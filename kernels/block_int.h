// Block integers: one scale a block, codes of 8, 4, 3 or 2 bits.
//
// With A = max |x| in the block, m the first element with |m| = A, q = 2^(bits-1) - 1, R rounding to the
// scale's type (nearest even, saturating), all in fp32 with one rounding an operation:
//   absmax  s = R(A / q)               codes -q ... q
//   sign    s = R(m / -2^(bits-1))     codes -2^(bits-1) ... q; s may be negative
//   mse     of s_k = R((m / -2^(bits-1)) * (k / 32)), k = 16 ... 47, the one with the least sum of (code *
//   s_k - x)^2;
//           ties take the lowest k. Blocks are powers of two, at most 16384.
// positive_scales: sign takes R(A / q) where its s would be negative, mse starts from A / 2^(bits-1).
// |s| < 2^-126 becomes s = 0 and all codes 0. code = clamp(round_half_even(x * (1 / s))), clamped before it
// becomes an integer; decoded: code * s, rounded once to the target (saturating). The sum of mse is folded in
// halves: the block padded with zeros to its full size n, t[i] += t[i + n/2], then n/4 ...
//
// Codes: 8 bits a signed byte; 4, 3, 2 bits code + 2^(bits-1), the first in the lowest bits (eight 3-bit
// codes in three bytes, the lowest byte first); unused bits of a row's last byte are 0.
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

enum class Grid : uint8_t { absmax, sign, mse };

struct BlockIntSpec {
  unsigned bits = 8;  // 8, 4, 3, 2
  Grid grid = Grid::absmax;
  Float scale = Float::bf16;
  bool positive_scales = false;
};

// `x`: layout.elems() of `source`. `codes`: layout.code_bytes(bits). `scales`: layout.blocks() of spec.scale.
void block_int_encode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                          uint8_t* codes, void* scales, EncodeCounts* counts);
void block_int_encode_simd(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                           uint8_t* codes, void* scales, EncodeCounts* counts);
void block_int_encode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                           uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream);

// The scale of a block whose extreme element is m (|m| = A) by the absmax or sign grid, already of
// spec.scale's precision: for blocks that are read piece by piece (a whole tensor). Adds to counts as an
// encoder does.
float block_int_scale(const BlockIntSpec& spec, float extreme, EncodeCounts* counts);
// As encode, with one scale for all: layout.block is not looked at, no scale is written.
void block_int_encode_scaled_cpu(const BlockIntSpec& spec, const BlockLayout& layout, Float source,
                                 const void* x, float scale, uint8_t* codes, EncodeCounts* counts);
void block_int_encode_scaled_simd(const BlockIntSpec& spec, const BlockLayout& layout, Float source,
                                  const void* x, float scale, uint8_t* codes, EncodeCounts* counts);
void block_int_encode_scaled_cuda(const BlockIntSpec& spec, const BlockLayout& layout, Float source,
                                  const void* x, float scale, uint8_t* codes, EncodeCounts* counts,
                                  Stream stream);

// `out`: layout.elems() of `target`. Adds the number of finite values that were cut to the target's largest
// to *saturated. For one scale over all, layout.block >= layout.cols, rows = 1.
void block_int_decode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                          const void* scales, Float target, void* out, uint64_t* saturated);
void block_int_decode_simd(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                           const void* scales, Float target, void* out, uint64_t* saturated);
void block_int_decode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                           const void* scales, Float target, void* out, uint64_t* saturated, Stream stream);

}  // namespace mlq::kernels
