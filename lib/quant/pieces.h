// How tensors are cut into pieces for threads.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/quant/coding.h"
#include "lib/tensorfile/dtype.h"

namespace mlq::quant {

// Elements of a piece: whole blocks, rows where they matter, groups of sums, leaves of hashes, and 1 MiB
// frames of every plane. Nothing where rows and leaves meet too seldom for a piece to fit into memory.
std::optional<uint64_t> piece_elems(const Coding& coding, tensorfile::Dtype dtype);
// Elements that are decoded and compared at a time, within the cache: it divides a piece. The whole piece
// where rows matter.
uint64_t tile_elems(const Coding& coding, tensorfile::Dtype dtype, uint64_t piece);

// Pieces of `size` that a whole of `total` has; one for nothing.
constexpr uint64_t pieces_of(uint64_t total, uint64_t size) {
  return total == 0 ? 1 : (total + size - 1) / size;
}
constexpr Range piece_at(uint64_t total, uint64_t size, uint64_t index) {
  const uint64_t first = index * size;
  return {first, first + size < total ? size : total - first};
}

}  // namespace mlq::quant
