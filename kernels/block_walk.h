// What the CPU twins have in common: a walk over blocks, packed codes, the fold. Host only.
#pragma once

#include <cstring>

#include "kernels/block_math.h"

namespace mlq::kernels {

// A block: its elements, and where its first code would be in units of codes in its row.
struct BlockSpan {
  uint64_t index;  // of the block
  uint64_t first;  // element of the tensor
  uint64_t size;
  uint64_t row, col;  // of the first element
};

template <class Visit>
void for_each_block(const BlockLayout& layout, Visit&& visit) {
  uint64_t index = 0;
  for (uint64_t row = 0; row < layout.rows; ++row)
    for (uint64_t col = 0; col < layout.cols; col += layout.block) {
      const uint64_t left = layout.cols - col;
      visit(BlockSpan{index++, row * layout.cols + col, left < layout.block ? left : layout.block, row, col});
    }
}

// Unsigned codes of 1 to 8 bits, the first in the lowest bits. `bytes` were zero before.
inline void put_code(uint8_t* bytes, uint64_t i, unsigned bits, unsigned code) {
  const uint64_t at = i * bits;
  const unsigned shifted = code << (at % 8);
  bytes[at / 8] = static_cast<uint8_t>(bytes[at / 8] | shifted);
  if (shifted > 0xff) bytes[at / 8 + 1] = static_cast<uint8_t>(bytes[at / 8 + 1] | (shifted >> 8));
}
inline unsigned get_code(const uint8_t* bytes, uint64_t i, unsigned bits) {
  const uint64_t at = i * bits;
  unsigned word = bytes[at / 8];
  if (at % 8 + bits > 8) word |= unsigned{bytes[at / 8 + 1]} << 8;
  return (word >> (at % 8)) & ((1u << bits) - 1);
}

// The sum of n numbers, a power of two, in the fixed tree: t[i] += t[i + n/2], then n/4 ... Destroys t.
template <class T>
T folded(T* t, uint64_t n) {
  while (n > 1) {
    n /= 2;
    for (uint64_t i = 0; i < n; ++i) t[i] += t[i + n];
  }
  return t[0];
}

// The first element with the largest magnitude; what is not finite counts as +0 and is counted.
inline float block_extreme(Float source, const void* x, const BlockSpan& block, EncodeCounts* counts) {
  float extreme = 0;
  for (uint64_t i = 0; i < block.size; ++i) {
    const float v = load(source, x, block.first + i);
    if (!is_finite(v)) {
      ++counts->nonfinite;
    } else if (magnitude_bits(v) > magnitude_bits(extreme)) {
      extreme = v;
    }
  }
  return extreme;
}

inline void count_scale(const BlockScale& scale, EncodeCounts* counts) {
  counts->flushed_blocks += scale.flushed;
  counts->scale_overflow += scale.overflow;
}

}  // namespace mlq::kernels
