// The numbers of a request, and the text of a reply: what a model server needs beside the batching layer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// Appends the elements of `tensor`, row after row; BOOL as 0 and 1, integers rounded to the nearest value of
// the type. Refuses BYTES and numbers beyond the range of the datatype, by name. `out` may have grown then.
std::optional<Refusal> read_values(const InputTensor& tensor, std::vector<float>& out);
std::optional<Refusal> read_values(const InputTensor& tensor, std::vector<double>& out);

// v1 and plain: appends the numbers of the rows, row after row, and sets `width`, the numbers in a row (any
// nesting counts as flat). Refuses rows of other things than numbers and booleans, and of unequal width.
std::optional<Refusal> read_rows(const ParsedRequest& request, std::vector<float>& out, size_t& width);
std::optional<Refusal> read_rows(const ParsedRequest& request, std::vector<double>& out, size_t& width);

// One output of a model for one request. The values are FP32, FP64, INT64 and BYTES, in this order.
struct OutputValues {
  std::string_view name;
  std::vector<uint64_t> shape;  // shape[0] = rows; its product is the number of values
  std::variant<std::span<const float>, std::span<const double>, std::span<const int64_t>,
               std::span<const std::string>>
      values;
};

struct ReplyText {
  std::string body;
  std::optional<uint64_t> json_bytes;  // Inference-Header-Content-Length, if there are binary outputs
};

// The reply to a v2 request: its id, and the outputs that it asks for, in its order and as binary data where
// it says so. Numbers in the shortest form that reads back to the same; NaN and Infinity as Python writes
// them. `model` and `version` are plain text; an empty version is left out. Refuses an output that is not
// there.
std::optional<Refusal> write_v2(const ParsedRequest& request, std::string_view model,
                                std::string_view version, std::span<const OutputValues> outputs,
                                ReplyText& out);

// {"predictions":[..]}, or the answers at the request's pointer: one element a row, nested as the shape is.
std::string write_rows(const ParsedRequest& request, const OutputValues& output);

}  // namespace mlq::serve
