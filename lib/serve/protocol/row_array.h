// Requests that carry their rows as the elements of one JSON array: KServe v1 ({"instances":[..]} answered by
// {"predictions":[..]}) and the plain route, where two JSON pointers (RFC 6901) say where rows and answers
// are.
#pragma once

#include <optional>
#include <string_view>

#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// Valid pointers (pointer_tokens of pointer.h checks).
struct RowPlaces {
  std::string_view rows;     // JSON pointer to the row array of a request; "" is the body itself
  std::string_view answers;  // JSON pointer to the answer array of a reply
};

// Reads `body` into `out` (which is overwritten). Returns why it is refused: not strict JSON, depth over 16,
// the row array twice. A body without a row array there (v1's columnar `inputs` too), without rows, or with
// rows of different form goes alone. The texts of `places` must outlive the request. No state; threads may
// call it.
std::optional<Refusal> parse_plain(std::string_view body, const RowPlaces& places, const Rules& rules,
                                   ParsedRequest& out);
std::optional<Refusal> parse_v1(std::string_view body, const Rules& rules, ParsedRequest& out);

}  // namespace mlq::serve
