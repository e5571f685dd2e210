#include "lib/serve/protocol/oip.h"

#include <fmt/format.h>

#include <cstring>

#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/parameters.h"
#include "lib/serve/protocol/tensor_text.h"

namespace mlq::serve {
namespace {

constexpr uint8_t kLowestLevel = 8;

// What a tensor object said before its data can be looked at: members come in any order.
struct TensorParts {
  bool name = false, datatype = false, shape = false, parameters = false;
  std::optional<size_t> data_offset;  // of the JSON data
  bool scanned = false;
  std::optional<uint64_t> binary_bytes;
  bool shared_memory = false;
};

class RequestReader {
 public:
  RequestReader(std::string_view body, std::optional<uint64_t> json_bytes, const Rules& rules,
                ParsedRequest& out)
      : body_(body),
        blobs_(json_bytes ? body.substr(*json_bytes) : std::string_view()),
        cursor_(body.substr(0, json_bytes.value_or(body.size()))),
        rules_(rules),
        out_(out) {}

  std::optional<Refusal> read() {
    const bool good = cursor_.object([this](std::string_view key, size_t at) { return member(key, at); }) &&
                      cursor_.at_end() && finish();
    if (good) return std::nullopt;
    const JsonError& error = *cursor_.error();
    return Refusal{400, fmt::format("{}: byte {}: {}", field_.empty() ? "request" : field_, error.offset,
                                    error.message)};
  }

 private:
  enum Known : unsigned { id = 1, parameters = 2, inputs = 4, outputs = 8 };

  void alone(std::string_view why) {
    if (out_.alone.empty()) out_.alone = why;
  }

  bool once(unsigned& seen, unsigned which, std::string_view key, size_t at) {
    if (seen & which) return cursor_.fail(at, fmt::format("\"{}\" stands there twice", key));
    seen |= which;
    return true;
  }

  bool member(std::string_view key, size_t at) {
    field_ = key;
    if (key == "id") return once(seen_, id, key, at) && read_id();
    if (key == "parameters") return once(seen_, parameters, key, at) && read_request_parameters();
    if (key == "inputs") return once(seen_, inputs, key, at) && read_inputs();
    if (key == "outputs") return once(seen_, outputs, key, at) && read_outputs();
    alone("a member that the protocol does not have");
    return cursor_.skip();
  }

  bool read_id() {
    if (cursor_.peek() != '"') {
      alone("an id that is no string");
      return cursor_.skip();
    }
    std::string_view raw;
    if (!cursor_.string(raw)) return false;
    out_.id = raw;
    return true;
  }

  bool read_request_parameters() {
    if (!read_parameters(cursor_, out_.parameters, out_.alone)) return false;
    for (const Parameter& parameter : out_.parameters) {
      if (parameter.name == "priority") {
        if (!read_priority(parameter.value)) return false;
      } else if (parameter.name == "timeout") {
        if (!read_timeout(parameter.value)) return false;
      } else if (parameter.name == "binary_data_output") {
        out_.binary_output = parameter.value == "true";
      } else if (parameter.name.starts_with("sequence_")) {
        alone("a sequence");
      } else if (std::ranges::find(rules_.batch_params, parameter.name) == rules_.batch_params.end()) {
        alone("a request parameter outside batch_params");
      }
    }
    return true;
  }

  size_t offset_of(std::string_view part) const { return static_cast<size_t>(part.data() - body_.data()); }

  bool read_unsigned(std::string_view value, std::string_view name, uint64_t& number) {
    JsonCursor own(value);
    if (own.unsigned_integer(number) && own.at_end()) return true;
    return cursor_.fail(offset_of(value), fmt::format("{} is no integer from 0 to 2^64-1", name));
  }

  // Triton's schedule policy: 1 is first, 0 is the default.
  bool read_priority(std::string_view value) {
    uint64_t level = 0;
    if (!read_unsigned(value, "priority", level)) return false;
    if (level > 0) out_.level = static_cast<uint8_t>(std::min<uint64_t>(level, kLowestLevel));
    return true;
  }

  bool read_timeout(std::string_view value) {
    uint64_t us = 0;
    if (!read_unsigned(value, "timeout", us)) return false;
    out_.timeout_ns = static_cast<int64_t>(std::min<uint64_t>(us, INT64_MAX / 1000)) * 1000;
    return true;
  }

  bool read_inputs() {
    return cursor_.array([this] {
      if (out_.inputs.size() == kMaxTensors)
        return cursor_.fail(cursor_.offset(), fmt::format("more than {} inputs", kMaxTensors));
      field_ = fmt::format("inputs[{}]", out_.inputs.size());
      out_.inputs.emplace_back();
      parts_.emplace_back();
      cursor_.peek();
      const size_t at = cursor_.offset();
      return cursor_.object([this](std::string_view key, size_t key_at) {
        return tensor_member(key, key_at);
      }) && finish_input(at);
    });
  }

  bool tensor_member(std::string_view key, size_t at) {
    InputTensor& tensor = out_.inputs.back();
    TensorParts& parts = parts_.back();
    const auto once = [&](bool& seen) {
      if (seen) return cursor_.fail(at, fmt::format("\"{}\" stands there twice", key));
      return seen = true;
    };
    if (key == "name") return once(parts.name) && cursor_.string(tensor.name);
    if (key == "datatype") return once(parts.datatype) && read_datatype(tensor);
    if (key == "shape") return once(parts.shape) && read_shape(tensor);
    if (key == "parameters") return once(parts.parameters) && read_tensor_parameters(tensor, parts);
    if (key == "data") {
      if (parts.data_offset) return cursor_.fail(at, "\"data\" stands there twice");
      cursor_.peek();
      parts.data_offset = cursor_.offset();
      // Data that come before shape and datatype are passed over now and scanned when the object is known.
      return parts.datatype && parts.shape ? scan(tensor, parts, false) : cursor_.skip();
    }
    alone("a member of an input that the protocol does not have");
    return cursor_.skip();
  }

  bool read_datatype(InputTensor& tensor) {
    std::string_view name;
    if (!cursor_.string(name)) return false;
    const auto type = datatype_named(name);
    if (!type)
      return cursor_.fail(offset_of(name), fmt::format("there is no datatype \"{}\"", name.substr(0, 40)));
    tensor.datatype = *type;
    return true;
  }

  bool read_shape(InputTensor& tensor) {
    cursor_.peek();
    const size_t at = cursor_.offset();
    const bool read = cursor_.array([&] {
      if (tensor.shape.rank == kMaxRank)
        return cursor_.fail(cursor_.offset(), fmt::format("the shape has more than {} dimensions", kMaxRank));
      uint64_t n = 0;
      if (!cursor_.unsigned_integer(n)) return false;
      tensor.shape.dims[tensor.shape.rank++] = n;
      return true;
    });
    if (!read) return false;
    const auto count = element_count(tensor.shape.all());
    if (!count) return cursor_.fail(at, "the shape has 2^63 elements or more");
    tensor.elements = *count;
    return true;
  }

  bool read_tensor_parameters(InputTensor& tensor, TensorParts& parts) {
    if (!read_parameters(cursor_, tensor.parameters, out_.alone)) return false;
    for (const Parameter& parameter : tensor.parameters) {
      if (parameter.name.starts_with("shared_memory")) {
        parts.shared_memory = true;
        alone("shared memory");
      } else if (parameter.name == "binary_data_size") {
        uint64_t bytes = 0;
        if (!read_unsigned(parameter.value, "binary_data_size", bytes)) return false;
        parts.binary_bytes = bytes;
      }
    }
    std::erase_if(tensor.parameters, [](const Parameter& p) { return p.name == "binary_data_size"; });
    return true;
  }

  bool scan(InputTensor& tensor, TensorParts& parts, bool again) {
    const std::string_view text = cursor_.text().substr(*parts.data_offset);
    if (!has_json_form(tensor.datatype))
      return cursor_.fail(*parts.data_offset, fmt::format("{} has no form in JSON, only as binary data",
                                                          datatype_name(tensor.datatype)));
    TensorText found;
    std::vector<size_t> no_cuts;
    if (const auto error = scan_tensor_text(text, tensor.shape, element_kind(tensor.datatype),
                                            JsonRules::strict, {}, found, no_cuts)) {
      field_ += ".data";
      return cursor_.fail(*parts.data_offset + error->offset, error->message);
    }
    if (found.ragged) alone("ragged data");
    tensor.form = found.form;
    tensor.data = text.substr(found.begin, found.end - found.begin);
    parts.scanned = true;
    if (!again) cursor_.go_to(*parts.data_offset + found.past);
    return true;
  }

  bool finish_input(size_t at) {
    InputTensor& tensor = out_.inputs.back();
    TensorParts& parts = parts_.back();
    const auto missing = [&](std::string_view what) {
      return cursor_.fail(at, fmt::format("{} is missing", what));
    };
    if (!parts.name) return missing("\"name\"");
    if (!parts.datatype) return missing("\"datatype\"");
    if (!parts.shape) return missing("\"shape\"");
    if (parts.binary_bytes && parts.data_offset)
      return cursor_.fail(*parts.data_offset, "\"data\" stand beside binary_data_size");
    if (parts.data_offset) return parts.scanned || scan(tensor, parts, true);
    if (parts.binary_bytes) return take_blob(tensor, *parts.binary_bytes, at);
    return parts.shared_memory || missing("\"data\"");
  }

  bool take_blob(InputTensor& tensor, uint64_t bytes, size_t at) {
    const auto lie = [&](std::string message) { return cursor_.fail(at, std::move(message)); };
    if (!out_.json_bytes) return lie("binary_data_size without Inference-Header-Content-Length");
    if (bytes > blobs_.size())
      return lie(fmt::format("binary_data_size is {}, {} bytes are left in the body", bytes, blobs_.size()));
    tensor.form = Form::binary;
    tensor.data = blobs_.substr(0, bytes);
    blobs_.remove_prefix(bytes);
    if (const uint64_t each = element_bytes(tensor.datatype); each > 0) {
      if (bytes % each == 0 && bytes / each == tensor.elements) return true;
      return lie(fmt::format("binary_data_size is {}, the shape says {} elements of {} bytes", bytes,
                             tensor.elements, each));
    }
    const auto count = bytes_elements(tensor.data);
    if (!count) return lie("the length of a BYTES element reaches past the end of its data");
    if (*count == tensor.elements) return true;
    return lie(fmt::format("the data hold {} BYTES elements, the shape says {}", *count, tensor.elements));
  }

  bool read_outputs() {
    return cursor_.array([this] {
      if (out_.outputs.size() == kMaxTensors)
        return cursor_.fail(cursor_.offset(), fmt::format("more than {} outputs", kMaxTensors));
      field_ = fmt::format("outputs[{}]", out_.outputs.size());
      RequestedOutput& output = out_.outputs.emplace_back();
      unsigned seen = 0;
      cursor_.peek();
      const size_t at = cursor_.offset();
      const bool read = cursor_.object([&](std::string_view key, size_t key_at) {
        if (key == "name") return once(seen, 1, key, key_at) && cursor_.string(output.name);
        if (key == "parameters") return once(seen, 2, key, key_at) && read_output_parameters(output);
        alone("a member of an output that the protocol does not have");
        return cursor_.skip();
      });
      return read && ((seen & 1) != 0 || cursor_.fail(at, "\"name\" is missing"));
    });
  }

  bool read_output_parameters(RequestedOutput& output) {
    if (!read_parameters(cursor_, output.parameters, out_.alone)) return false;
    for (const Parameter& parameter : output.parameters) {
      if (parameter.name == "binary_data") output.binary_data = parameter.value == "true";
      if (parameter.name.starts_with("shared_memory")) alone("shared memory");
    }
    return true;
  }

  bool finish() {
    field_.clear();
    if (!blobs_.empty())
      return cursor_.fail(body_.size() - blobs_.size(),
                          fmt::format("{} bytes behind the data of the last input", blobs_.size()));
    if ((seen_ & inputs) == 0) {
      alone("no inputs");
      return true;
    }
    count_rows();
    return true;
  }

  void count_rows() {
    if (out_.inputs.empty()) return alone("no inputs");
    for (const InputTensor& tensor : out_.inputs) {
      if (tensor.shape.rank == 0) return alone("an input without rows");
      if (tensor.shape.dims[0] != out_.inputs[0].shape.dims[0])
        return alone("inputs that disagree on the rows");
    }
    out_.rows = out_.inputs[0].shape.dims[0];
    if (out_.rows == 0) alone("no rows");
    if (std::ranges::any_of(out_.inputs, [](const InputTensor& t) { return t.elements == 0; }))
      alone("rows without elements");
  }

  std::string_view body_;
  std::string_view blobs_;  // those not yet given to an input
  JsonCursor cursor_;
  const Rules& rules_;
  ParsedRequest& out_;
  std::vector<TensorParts> parts_;
  std::string field_;
  unsigned seen_ = 0;
};

}  // namespace

std::optional<Refusal> parse_v2(std::string_view body, std::optional<uint64_t> json_bytes, const Rules& rules,
                                ParsedRequest& out) {
  out = ParsedRequest{};
  out.body = body;
  out.json_bytes = json_bytes;
  if (!rules.batchable) out.alone = "the model is not batched";
  if (json_bytes == uint64_t{0}) {
    if (out.alone.empty()) out.alone = "a raw body";
    return std::nullopt;
  }
  if (json_bytes > body.size())
    return Refusal{400, fmt::format("Inference-Header-Content-Length is {}, the body has {} bytes",
                                    *json_bytes, body.size())};
  if (auto refusal = RequestReader(body, json_bytes, rules, out).read()) return refusal;
  if (out.alone.empty() && out.rows > rules.max_rows) out.alone = "more rows than max_rows";
  if (out.alone.empty() && body.size() > rules.max_batch_bytes) out.alone = "more bytes than max_batch_bytes";
  return std::nullopt;
}

}  // namespace mlq::serve
