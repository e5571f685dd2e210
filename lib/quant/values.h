// The bytes of a tensor as values, and as leaves of its hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/tensorfile/dtype.h"

namespace mlq::quant {

// The values as kernels take them: `bytes` themselves, or of F64 fp32 in `scratch`.
const void* as_values(tensorfile::Dtype dtype, std::span<const std::byte> bytes,
                      std::vector<std::byte>& scratch);
// The other way: `values` themselves, or of F64 widened in `scratch`.
std::span<const std::byte> as_bytes_of(tensorfile::Dtype dtype, std::span<const std::byte> values,
                                       std::vector<std::byte>& scratch);

// The digests of 64 KiB leaves (kernels/xxh3_leaves.h), 16 bytes each.
std::vector<uint8_t> leaf_digests(std::span<const std::byte> bytes);

}  // namespace mlq::quant
