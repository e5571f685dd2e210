// The JSON text of one tensor's `data`: the wall between one client's bytes and everybody's batch. What
// passes is checked byte by byte, against the grammar and against the shape, and is then spliced as it
// stands.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// What the elements must be. An integer has neither fraction nor exponent; its range is the container's
// matter.
enum class ElementKind : uint8_t { integer, number, boolean, string };
ElementKind element_kind(Datatype type);

struct TensorText {
  Form form = Form::flat;  // flat or nested
  // Where the data stand in the text: from the first element (or inner bracket) to the end of the last.
  size_t begin = 0;
  size_t end = 0;
  size_t past = 0;      // behind the outer closing bracket
  bool ragged = false;  // nested as deep as the shape and with its number of elements, but not in its rows
};

// Reads the array that `text` begins with (an opening bracket; more text may follow it) as elements of
// `shape`, flat or nested as deep as its rank, in one pass. `cuts` are rows, ascending, 0 < cut < shape[0];
// `commas` gets the offset of the comma before each of these rows (for a ragged text, or rows without
// elements, nothing). Returns the first error: grammar, depth, kind, or a number of elements that is not that
// of the shape.
//
// In the liberal rules numbers may be NaN, Infinity and -Infinity, and any scalar but a string stands for a
// number.
std::optional<JsonError> scan_tensor_text(std::string_view text, const Shape& shape, ElementKind kind,
                                          JsonRules rules, std::span<const uint64_t> cuts, TensorText& out,
                                          std::vector<size_t>& commas);

// The definition: the same without vector instructions.
std::optional<JsonError> scan_tensor_text_plainly(std::string_view text, const Shape& shape, ElementKind kind,
                                                  JsonRules rules, std::span<const uint64_t> cuts,
                                                  TensorText& out, std::vector<size_t>& commas);

}  // namespace mlq::serve
