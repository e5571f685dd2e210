#include <algorithm>
#include <cstring>
#include <filesystem>
#include <vector>

#include "kernels/float_convert.h"
#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/simigrad/synth/gradient.h"
#include "lib/tensorfile/npy_header.h"
#include "lib/tensorfile/sink.h"

namespace mlq::simigrad {
namespace {

using tensorfile::Dtype;

constexpr size_t kPiece = 65536;  // elements

template <class T>
void put(std::span<std::byte> to, size_t i, T value) {
  std::memcpy(to.data() + i * sizeof value, &value, sizeof value);
}

std::span<const std::byte> narrowed(Dtype dtype, std::span<const double> x, std::vector<std::byte>& buffer) {
  const size_t width = bits_per_element(dtype) / 8;
  const std::span<std::byte> to = std::span(buffer).first(x.size() * width);
  for (size_t i = 0; i < x.size(); ++i) {
    const auto narrow = static_cast<float>(x[i]);
    if (dtype == Dtype::f64) put(to, i, x[i]);
    if (dtype == Dtype::f32) put(to, i, narrow);
    if (dtype == Dtype::f16) put(to, i, kernels::f16_from_f32(narrow));
    if (dtype == Dtype::bf16) put(to, i, kernels::bf16_from_f32(narrow));
  }
  return to;
}

// Calls take(bytes) with all elements of a tensor, in order.
template <class Take>
void each_piece(const GradientLaw& gradient, uint64_t seed, uint64_t step, uint64_t group, uint64_t tensor,
                Dtype dtype, const Take& take) {
  std::vector<double> values(kPiece);
  std::vector<std::byte> buffer(kPiece * sizeof(double));
  const uint64_t elems = tensor_elems(gradient, tensor);
  for (uint64_t first = 0; first < elems; first += kPiece) {
    const std::span<double> piece = std::span(values).first(std::min<uint64_t>(kPiece, elems - first));
    fill_gradient(gradient, seed, step, group, tensor, first, piece);
    take(narrowed(dtype, piece, buffer));
  }
}

void write_safetensors(const GradientLaw& gradient, uint64_t seed, uint64_t step, uint64_t group, Dtype dtype,
                       const std::string& path) {
  std::vector<tensorfile::Declaration> declarations;
  for (uint64_t i = 0; i < gradient.tensors; ++i)
    declarations.push_back({tensor_name(gradient, i), dtype, {tensor_elems(gradient, i)}});
  const tensorfile::Metadata metadata = {{"mlq.step", std::to_string(step)},
                                         {"mlq.group", std::to_string(group)},
                                         {"mlq.groups", std::to_string(gradient.law.groups)},
                                         {"mlq.samples", std::to_string(gradient.law.samples)}};
  tensorfile::SafetensorsSink sink(path, std::move(declarations), metadata);
  for (uint64_t i = 0; i < gradient.tensors; ++i) {
    uint64_t at = 0;
    each_piece(gradient, seed, step, group, i, dtype, [&](std::span<const std::byte> bytes) {
      sink.write(i, at, bytes);
      at += bytes.size();
    });
  }
  sink.finish();
}

void write_npy(const GradientLaw& gradient, uint64_t seed, uint64_t step, uint64_t group, Dtype dtype,
               const std::string& path) {
  Output output = Output::open(path);
  output.write(tensorfile::npy_header(dtype, gradient.params));
  each_piece(gradient, seed, step, group, 0, dtype, [&](std::span<const std::byte> bytes) {
    output.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  });
  output.close();
}

}  // namespace

WrittenDump write_dump(const GradientLaw& gradient, uint64_t seed, uint64_t step, uint64_t group, Dtype dtype,
                       DumpFormat format, const std::string& folder) {
  namespace fs = std::filesystem;
  if (format == DumpFormat::npy && gradient.tensors > 1)
    throw usage_error("--format npy: a file has one array; leave --tensors out");
  if (format == DumpFormat::npy && dtype == Dtype::bf16)
    throw usage_error("--format npy: numpy has no bf16; write safetensors, or another --dtype");
  const fs::path place = fs::path(folder) / ("step" + std::to_string(step));
  std::error_code error;
  fs::create_directories(place, error);
  if (error) throw environment_error("{}: cannot be made: {}", place.string(), error.message());
  const bool npy = format == DumpFormat::npy;
  const std::string path =
      (place / ("group" + std::to_string(group) + (npy ? ".npy" : ".safetensors"))).string();
  (npy ? write_npy : write_safetensors)(gradient, seed, step, group, dtype, path);
  return {path, gradient.params * bits_per_element(dtype) / 8};
}

}  // namespace mlq::simigrad
