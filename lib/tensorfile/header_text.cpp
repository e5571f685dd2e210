#include <cstring>

#include "lib/jsonl/buffer.h"
#include "lib/tensorfile/safetensors_header.h"
#include "lib/tensorfile/sink.h"

namespace mlq::tensorfile {
namespace {

void write_metadata(jsonl::Buffer& out, const Metadata& metadata) {
  out.raw("\"__metadata__\":{");
  bool first = true;
  for (const auto& [key, value] : metadata) {
    if (!first) out.raw(',');
    first = false;
    out.string(key);
    out.raw(':');
    out.string(value);
  }
  out.raw("},");
}

void write_entry(jsonl::Buffer& out, const TensorInfo& tensor, uint64_t begin) {
  out.string(tensor.name);
  out.raw(":{\"dtype\":\"");
  out.raw(dtype_name(tensor.dtype));
  out.raw("\",\"shape\":[");
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i > 0) out.raw(',');
    out.integer(tensor.shape[i]);
  }
  out.raw("],\"data_offsets\":[");
  out.integer(begin);
  out.raw(',');
  out.integer(begin + tensor.size_bytes);
  out.raw("]},");
}

}  // namespace

uint64_t metadata_bytes(const Metadata& metadata) {
  if (metadata.empty()) return 0;
  jsonl::Buffer out;
  write_metadata(out, metadata);
  return out.size();
}

std::string safetensors_header(const Metadata& metadata, const std::vector<const TensorInfo*>& tensors,
                               uint64_t room) {
  jsonl::Buffer out;
  out.raw('{');
  if (!metadata.empty()) write_metadata(out, metadata);
  uint64_t at = 0;
  for (const TensorInfo* tensor : tensors) {
    write_entry(out, *tensor, at);
    at += tensor->size_bytes;
  }
  if (out.size() > 1) out.truncate(out.size() - 1);  // the last comma
  out.raw('}');
  const uint64_t length = std::max<uint64_t>((out.size() + 7) / 8 * 8, room);
  std::string header(8 + length, ' ');
  std::memcpy(header.data(), &length, 8);
  std::memcpy(header.data() + 8, out.data(), out.size());
  return header;
}

}  // namespace mlq::tensorfile
