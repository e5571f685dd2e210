// The reply of a container to a merged v2 request, taken apart where the clients' replies differ.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/protocol/request.h"
#include "lib/serve/protocol/split.h"

namespace mlq::serve {

// Offsets in the reply's JSON text.
struct TextSpan {
  size_t begin = 0;
  size_t end = 0;
};

struct ReplyOutput {
  std::string_view name;  // as written between the quotes
  std::optional<Datatype> datatype;
  std::optional<Shape> shape;
  TextSpan first_dim;  // the text of shape[0]
  // JSON data: from the first element to the end of the last, and the comma before each cut.
  std::optional<TextSpan> data;
  std::vector<size_t> commas;
  // Binary data: the text of binary_data_size, and the bytes.
  std::optional<TextSpan> binary_size;
  uint64_t binary_bytes = 0;
  std::string_view blob;
  bool broadcast = false;
};

struct Reply {
  std::string_view json;  // the JSON part of the body
  std::optional<uint64_t> json_bytes;
  std::optional<TextSpan> id;  // between its quotes
  TextSpan id_member;          // what to leave out for a client without id, with one comma
  std::vector<ReplyOutput> outputs;
};

// Reads a reply whose rows are to be cut before each row of `cuts` (ascending) of `rows`. Returns why that
// cannot be done, naming the output and its shape.
std::optional<std::string> read_reply(const UpstreamReply& upstream, uint64_t rows,
                                      std::span<const uint64_t> cuts, std::string_view upstream_id,
                                      std::span<const std::string> broadcast_outputs, Reply& out);

// "[2,3]"
std::string shape_text(const Shape& shape);

}  // namespace mlq::serve
