// What a file says of a tensor, and how large that makes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/tensorfile/dtype.h"

namespace mlq::tensorfile {

struct TensorInfo {
  std::string name;  // UTF-8
  Dtype dtype = Dtype::u8;
  std::vector<uint64_t> shape = {};  // slowest first; empty for a scalar
  uint64_t elems = 1;                // product of the shape
  uint64_t size_bytes = 1;           // elems times the bits of an element, over 8
  size_t shard = 0;                  // which file of its Source or of a plan of shards
  uint64_t file_offset = 0;          // of its first byte in that file
  // Of each dimension, in elements, where the elements do not lie one after another, slowest first.
  std::vector<uint64_t> strides = {};
  bool storage_shared = false;  // other tensors of the file have bytes of the same storage
};

// The strides of a tensor whose elements lie one after another, slowest first.
std::vector<uint64_t> dense_strides(std::span<const uint64_t> shape);
// The product of the dimensions; 1 for none, 0 if one is 0, nothing if it does not fit 64 bits.
std::optional<uint64_t> element_count(std::span<const uint64_t> shape);
// Bytes of so many elements, packed; nothing if that is no whole number of bytes or does not fit 64 bits.
std::optional<uint64_t> byte_count(uint64_t elems, Dtype dtype);

// A tensor with `elems` and `size_bytes` set. Throws an input Error that begins with `where` and names the
// tensor if a product does not fit.
TensorInfo make_tensor(std::string_view where, std::string name, Dtype dtype, std::vector<uint64_t> shape);

// A name of a file's as messages show it: in quotes, with control characters escaped, and cut if it is long.
std::string in_quotes(std::string_view name);

}  // namespace mlq::tensorfile
