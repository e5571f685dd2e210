// Requests of the Open Inference Protocol v2 (kserve/open-inference-protocol) with the binary tensor data and
// schedule policy extensions (triton-inference-server/server, docs/protocol).
#pragma once

#include <optional>
#include <string_view>

#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// Reads `body` into `out` (which is overwritten) and says whether it can be merged. `json_bytes` is the value
// of Inference-Header-Content-Length; 0 means a raw body without JSON, which goes alone unread. Returns why
// the request is refused: JSON that is not strict, a duplicate of a known key, a shape that lies about its
// data, depth over 16, rank over 8, more than 64 tensors, binary data past the end. What is accepted and not
// `alone` is safe to splice: tensor text has been validated byte by byte. No state; threads may call it at
// once.
std::optional<Refusal> parse_v2(std::string_view body, std::optional<uint64_t> json_bytes, const Rules& rules,
                                ParsedRequest& out);

}  // namespace mlq::serve
