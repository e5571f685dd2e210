// Blocks a tile at a time, for vector versions that are made of several passes. Host only.
#pragma once

#include <algorithm>

#include "kernels/layout.h"

namespace mlq::kernels {

// Elements that are worked on while they are in the first cache: 8 KiB of floats. A multiple of 8.
inline constexpr uint64_t kTile = 2048;

// Whole blocks of a row that fit into a tile, or one block.
struct Tile {
  BlockLayout layout;
  uint64_t first;        // element
  uint64_t code, block;  // byte of the codes, index of the first block
};

template <class Visit>
void for_each_tile(const BlockLayout& layout, unsigned bits, const Visit& visit) {
  const uint64_t step = layout.block >= kTile ? layout.block : kTile / layout.block * layout.block;
  for (uint64_t row = 0; row < layout.rows; ++row)
    for (uint64_t col = 0; col < layout.cols; col += step)
      visit(Tile{{1, std::min(step, layout.cols - col), layout.block},
                 row * layout.cols + col,
                 row * layout.row_bytes(bits) + col * bits / 8,
                 row * layout.blocks_per_row() + col / layout.block});
}

inline uint8_t* element(void* array, Float type, uint64_t i) {
  return static_cast<uint8_t*>(array) + i * size_of(type);
}
inline const uint8_t* element(const void* array, Float type, uint64_t i) {
  return static_cast<const uint8_t*>(array) + i * size_of(type);
}

}  // namespace mlq::kernels
