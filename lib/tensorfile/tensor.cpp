#include "lib/tensorfile/tensor.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/jsonl/buffer.h"
#include "lib/jsonl/utf8.h"

namespace mlq::tensorfile {
namespace {

constexpr size_t kShownBytes = 160;

// At most kShownBytes of `name`, cut between characters.
std::string_view beginning(std::string_view name) {
  size_t end = 0;
  while (end < name.size()) {
    const size_t length = std::max<size_t>(1, jsonl::utf8_length(name.substr(end)));
    if (end + length > kShownBytes) break;
    end += length;
  }
  return name.substr(0, end);
}

}  // namespace

std::vector<uint64_t> dense_strides(std::span<const uint64_t> shape) {
  std::vector<uint64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::optional<uint64_t> element_count(std::span<const uint64_t> shape) {
  if (std::ranges::find(shape, 0u) != shape.end()) return 0;
  uint64_t product = 1;
  for (const uint64_t dim : shape) {
    if (__builtin_mul_overflow(product, dim, &product)) return std::nullopt;
  }
  return product;
}

std::optional<uint64_t> byte_count(uint64_t elems, Dtype dtype) {
  const unsigned bits = bits_per_element(dtype);
  uint64_t bytes = 0;
  if (bits % 8 == 0) {
    if (__builtin_mul_overflow(elems, uint64_t{bits / 8}, &bytes)) return std::nullopt;
    return bytes;
  }
  uint64_t all = 0;
  if (__builtin_mul_overflow(elems, uint64_t{bits}, &all) || all % 8 != 0) return std::nullopt;
  return all / 8;
}

TensorInfo make_tensor(std::string_view where, std::string name, Dtype dtype, std::vector<uint64_t> shape) {
  TensorInfo info{.name = std::move(name), .dtype = dtype, .shape = std::move(shape)};
  const auto elems = element_count(info.shape);
  if (!elems)
    throw input_error("{}: tensor {}: its shape has too many elements for 64 bits", where,
                      in_quotes(info.name));
  const auto bytes = byte_count(*elems, dtype);
  if (!bytes) {
    throw input_error("{}: tensor {}: {} elements of {} are no whole number of bytes in 64 bits", where,
                      in_quotes(info.name), *elems, dtype_name(dtype));
  }
  info.elems = *elems;
  info.size_bytes = *bytes;
  return info;
}

std::string in_quotes(std::string_view name) {
  const std::string_view shown = beginning(name);
  jsonl::Buffer out;
  out.string(shown);
  std::string text(out.view());
  if (shown.size() < name.size()) text += fmt::format("... ({} bytes)", name.size());
  return text;
}

}  // namespace mlq::tensorfile
