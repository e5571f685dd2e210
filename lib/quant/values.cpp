#include "lib/quant/values.h"

#include <algorithm>

#include "kernels/xxh3_leaves.h"

namespace mlq::quant {

using tensorfile::Dtype;

const void* as_values(Dtype dtype, std::span<const std::byte> bytes, std::vector<std::byte>& scratch) {
  if (dtype != Dtype::f64) return bytes.data();
  const size_t count = bytes.size() / sizeof(double);
  scratch.resize(count * sizeof(float));
  const auto* wide = reinterpret_cast<const double*>(bytes.data());
  std::transform(wide, wide + count, reinterpret_cast<float*>(scratch.data()),
                 [](double value) { return static_cast<float>(value); });
  return scratch.data();
}

std::span<const std::byte> as_bytes_of(Dtype dtype, std::span<const std::byte> values,
                                       std::vector<std::byte>& scratch) {
  if (dtype != Dtype::f64) return values;
  const size_t count = values.size() / sizeof(float);
  scratch.resize(count * sizeof(double));
  const auto* narrow = reinterpret_cast<const float*>(values.data());
  std::copy(narrow, narrow + count, reinterpret_cast<double*>(scratch.data()));
  return scratch;
}

std::vector<uint8_t> leaf_digests(std::span<const std::byte> bytes) {
  std::vector<uint8_t> digests((bytes.size() + kernels::kHashLeaf - 1) / kernels::kHashLeaf * 16);
  kernels::xxh3_leaves_cpu(bytes.data(), bytes.size(), digests.data());
  return digests;
}

}  // namespace mlq::quant
