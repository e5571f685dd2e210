// What a gather keeps of its own rank. Internal to lib/gather.
#pragma once

#include "lib/gather/codec.h"
#include "lib/gather/gather.h"

namespace mlq::gather {

// What this rank owns: its weights, and room for what becomes of them.
struct Gather::Own {
  struct Owned {
    size_t tensor = 0;
    Share share;
    Memory weights, next, residual, next_residual;
  };
  std::vector<Owned> quantised, plain;

  // Of the step that is under way: of the quantised parts.
  WireHeader header{};
  double weight_energy = 0, error_energy = 0;
};

inline std::span<const std::byte> bytes_of_text(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Bytes of so many elements.
inline uint64_t bytes_of(const tensorfile::TensorInfo& info, uint64_t elems) {
  return elems * tensorfile::bits_per_element(info.dtype) / 8;
}

}  // namespace mlq::gather
