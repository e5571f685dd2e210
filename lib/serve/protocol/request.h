// A request as the batching layer sees it: views into the client's own bytes, what may be merged and what may
// not. Made by oip.h (v2) and row_array.h (v1, plain); read by batch_key, merge, split and values.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/protocol/datatype.h"

namespace mlq::serve {

inline constexpr size_t kMaxRank = 8;
inline constexpr size_t kMaxTensors = 64;
inline constexpr size_t kMaxDepth = 16;

// v2: Open Inference Protocol; v1: KServe's {"instances":[..]}; plain: rows and answers by JSON pointer.
enum class Dialect : uint8_t { v2, v1, plain };
std::string_view dialect_name(Dialect dialect);

// How the elements of a tensor are written: JSON in one array, JSON in arrays as deep as the rank (2 or
// more), or bytes behind the JSON.
enum class Form : uint8_t { flat, nested, binary };

struct Shape {
  std::array<uint64_t, kMaxRank> dims{};
  uint8_t rank = 0;

  std::span<const uint64_t> all() const { return {dims.data(), rank}; }
  // Everything but the rows.
  std::span<const uint64_t> of_a_row() const { return all().subspan(rank > 0 ? 1 : 0); }
  bool operator==(const Shape& other) const { return std::ranges::equal(all(), other.all()); }
};

// The product of the dimensions; none if it is 2^63 or more.
std::optional<uint64_t> element_count(std::span<const uint64_t> shape);

// A client's mistake and what it is told.
struct Refusal {
  int status = 400;
  std::string message;  // names the field and the byte offset in the body
};

// One member of a `parameters` object.
struct Parameter {
  std::string_view name;   // as written between the quotes
  std::string_view value;  // as written: a string with its quotes, a number, true or false
};

struct InputTensor {
  std::string_view name;  // as written between the quotes
  Datatype datatype = Datatype::fp32;
  Shape shape;
  Form form = Form::flat;
  uint64_t elements = 0;
  // binary: the bytes. JSON: what stands between the outer brackets of `data`, without blanks around it.
  std::string_view data;
  std::vector<Parameter> parameters;  // without binary_data_size
};

struct RequestedOutput {
  std::string_view name;  // as written between the quotes
  std::optional<bool> binary_data;
  std::vector<Parameter> parameters;  // all, binary_data too
};

// Owns nothing: the views live as long as the body. Copyable; not changed after parsing, so threads may share
// it.
struct ParsedRequest {
  Dialect dialect = Dialect::v2;
  std::string_view body;               // the whole body, as the client sent it
  std::optional<uint64_t> json_bytes;  // Inference-Header-Content-Length, if the client sent one
  // Why the request must go upstream by itself, in its own bytes; empty: it may be merged. One of a few
  // constant texts.
  std::string_view alone;
  uint64_t rows = 0;       // n_r; 0 if that is not known
  uint8_t level = 4;       // 1 (first) to 8
  int64_t timeout_ns = 0;  // the client's own; 0: none

  // v2
  std::optional<std::string_view> id;  // as written between the quotes
  std::vector<InputTensor> inputs;
  std::vector<RequestedOutput> outputs;  // empty: all that the model has
  std::vector<Parameter> parameters;     // of the request, all of them
  bool binary_output = false;  // binary_data_output: outputs come as binary unless they say otherwise

  // v1, plain
  std::string_view row_text;  // what stands between the brackets of the row array, without blanks around it
  std::string_view before_rows;  // the body up to and with the opening bracket
  std::string_view after_rows;   // the body from the closing bracket
  uint64_t row_skeleton = 0;  // hash of the form of a row: nesting, lengths, keys, kinds; equal for all rows
  std::string_view answers_pointer;  // where the answers stand in the reply
};

// What the operator allows; the same for all requests of a model. The texts must outlive the requests.
struct Rules {
  bool batchable = true;                          // resolved: `auto` has asked the metadata
  std::span<const std::string> batch_params{};    // request parameters that may stand in a batch
  uint64_t max_rows = 256;                        // more rows go alone
  uint64_t max_batch_bytes = uint64_t{16} << 20;  // more bytes go alone
};

}  // namespace mlq::serve
