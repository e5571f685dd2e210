#include <xxhash.h>

#include <algorithm>

#include "kernels/xxh3_leaves.h"

namespace mlq::kernels {

void xxh3_leaves_cpu(const void* bytes, uint64_t size, uint8_t* digests) {
  const auto* at = static_cast<const uint8_t*>(bytes);
  for (; size > 0; digests += sizeof(XXH128_canonical_t)) {
    const uint64_t leaf = std::min(size, kHashLeaf);
    XXH128_canonicalFromHash(reinterpret_cast<XXH128_canonical_t*>(digests), XXH3_128bits(at, leaf));
    at += leaf;
    size -= leaf;
  }
}

}  // namespace mlq::kernels
