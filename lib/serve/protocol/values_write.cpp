#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "lib/jsonl/buffer.h"
#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/pointer.h"
#include "lib/serve/protocol/values.h"

namespace mlq::serve {
namespace {

constexpr Datatype kDatatypes[] = {Datatype::fp32, Datatype::fp64, Datatype::int64, Datatype::bytes};

template <std::floating_point T>
void write_element(jsonl::Buffer& out, T value) {
  if (std::isnan(value)) return out.raw("NaN");
  if (std::isinf(value)) return out.raw(value > 0 ? "Infinity" : "-Infinity");
  char* at = out.reserve(32);
  out.advance(static_cast<size_t>(std::to_chars(at, at + 32, value).ptr - at));
}
void write_element(jsonl::Buffer& out, int64_t value) { out.integer(value); }
void write_element(jsonl::Buffer& out, const std::string& value) { out.string(value); }

// All values, flat.
template <class T>
void write_flat(jsonl::Buffer& out, std::span<const T> values) {
  for (size_t k = 0; k < values.size(); ++k) {
    if (k > 0) out.raw(',');
    write_element(out, values[k]);
  }
}

// One array a dimension; takes the values off the front of `values`.
template <class T>
void write_nested(jsonl::Buffer& out, std::span<const uint64_t> shape, std::span<const T>& values) {
  out.raw('[');
  if (shape.size() == 1) {
    write_flat(out, values.first(shape[0]));
    values = values.subspan(shape[0]);
  } else {
    for (uint64_t k = 0; k < shape[0]; ++k) {
      if (k > 0) out.raw(',');
      write_nested(out, shape.subspan(1), values);
    }
  }
  out.raw(']');
}

template <class T>
std::string blob_of(std::span<const T> values) {
  static_assert(std::endian::native == std::endian::little);
  std::string out;
  if constexpr (std::is_same_v<T, std::string>) {
    for (const std::string& value : values) {
      const auto length = static_cast<uint32_t>(value.size());
      out.append(reinterpret_cast<const char*>(&length), sizeof length);
      out.append(value);
    }
  } else {
    out.assign(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  return out;
}

void write_shape(jsonl::Buffer& out, std::span<const uint64_t> shape) {
  out.raw('[');
  for (size_t k = 0; k < shape.size(); ++k) {
    if (k > 0) out.raw(',');
    out.integer(shape[k]);
  }
  out.raw(']');
}

void write_output(jsonl::Buffer& out, const OutputValues& output, bool binary, std::string& blobs) {
  out.raw("{\"name\":");
  out.string(output.name);
  out.raw(",\"shape\":");
  write_shape(out, output.shape);
  out.raw(",\"datatype\":\"");
  out.raw(datatype_name(kDatatypes[output.values.index()]));
  if (binary) {
    const std::string blob = std::visit([](const auto& values) { return blob_of(values); }, output.values);
    out.raw("\",\"parameters\":{\"binary_data_size\":");
    out.integer(blob.size());
    out.raw("}}");
    blobs += blob;
  } else {
    out.raw("\",\"data\":[");
    std::visit([&](const auto& values) { write_flat(out, values); }, output.values);
    out.raw("]}");
  }
}

const OutputValues* named(std::span<const OutputValues> outputs, std::string_view raw_name) {
  const std::string name = unescaped(raw_name);
  const auto found = std::ranges::find(outputs, std::string_view(name), &OutputValues::name);
  return found == outputs.end() ? nullptr : &*found;
}

}  // namespace

std::optional<Refusal> write_v2(const ParsedRequest& request, std::string_view model,
                                std::string_view version, std::span<const OutputValues> outputs,
                                ReplyText& out) {
  jsonl::Buffer json;
  std::string blobs;
  bool any_binary = false, first = true;
  json.raw("{\"model_name\":");
  json.string(model);
  if (!version.empty()) {
    json.raw(",\"model_version\":");
    json.string(version);
  }
  if (request.id) {
    json.raw(",\"id\":\"");
    json.raw(*request.id);
    json.raw('"');
  }
  json.raw(",\"outputs\":[");
  const auto write = [&](const OutputValues& output, bool binary) {
    if (!first) json.raw(',');
    first = false;
    any_binary |= binary;
    write_output(json, output, binary, blobs);
  };
  for (size_t k = 0; k < request.outputs.size(); ++k) {
    const RequestedOutput& asked = request.outputs[k];
    const OutputValues* output = named(outputs, asked.name);
    if (output == nullptr)
      return Refusal{400,
                     fmt::format("outputs[{}]: the model has no output \"{}\"", k, asked.name.substr(0, 80))};
    write(*output, asked.binary_data.value_or(request.binary_output));
  }
  if (request.outputs.empty())
    for (const OutputValues& output : outputs) write(output, request.binary_output);
  json.raw("]}");
  out.body.assign(json.view());
  out.json_bytes = any_binary ? std::optional<uint64_t>(json.size()) : std::nullopt;
  out.body += blobs;
  return std::nullopt;
}

std::string write_rows(const ParsedRequest& request, const OutputValues& output) {
  jsonl::Buffer out;
  const auto tokens = pointer_tokens(request.answers_pointer).value_or(std::vector<std::string>{});
  for (const std::string& token : tokens) {
    out.raw('{');
    out.string(token);
    out.raw(':');
  }
  std::visit([&](auto values) { write_nested(out, output.shape, values); }, output.values);
  for (size_t k = 0; k < tokens.size(); ++k) out.raw('}');
  return std::string(out.view());
}

}  // namespace mlq::serve
