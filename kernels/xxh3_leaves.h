// XXH3-128 of each 64 KiB leaf of a tensor's bytes, in the canonical (big-endian) form of xxHash: the leaves
// of the hash tree by which mlq names tensors. The twin is libxxhash. The last leaf may be shorter; no byte,
// no leaf.
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

inline constexpr uint64_t kHashLeaf = 65536;

// `digests`: 16 bytes a leaf. `bytes` begins on a leaf of its tensor.
void xxh3_leaves_cpu(const void* bytes, uint64_t size, uint8_t* digests);
void xxh3_leaves_cuda(const void* bytes, uint64_t size, uint8_t* digests, Stream stream);

}  // namespace mlq::kernels
