// The header of a safetensors file. Layout: u64 little-endian length n, n bytes of JSON that begin with `{`,
// the tensors' bytes (safetensors, README, "Format").
#pragma once

#include <string>
#include <vector>

#include "lib/tensorfile/byte_file.h"
#include "lib/tensorfile/source.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::tensorfile {

constexpr uint64_t kLargestHeader = 100'000'000;  // bytes; the reference's limit
constexpr size_t kDeepestJson = 8;
constexpr size_t kLongestName = size_t{64} << 10;  // bytes
constexpr size_t kMostTensors = 1'000'000;
constexpr size_t kMostDimensions = 64;
constexpr size_t kMostMetadata = 2 * kMostTensors;

struct SafetensorsHeader {
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // in file order; shard 0
  uint64_t data_offset = 0;
};

// Reads and checks it: every tensor lies in the file, in just the bytes that its shape and dtype need, and
// together they fill it. Throws an input Error otherwise.
SafetensorsHeader read_safetensors_header(const ByteFile& file);

// The header of `tensors`, in file order; offsets are relative to the data and come one after another. Padded
// with spaces to a multiple of 8 bytes, and to `room` bytes at least. With the length in front.
std::string safetensors_header(const Metadata& metadata, const std::vector<const TensorInfo*>& tensors,
                               uint64_t room = 0);

}  // namespace mlq::tensorfile
