// The id of a v2 reply, taken out and put in: one answer may serve requests with different ids.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/serve/gateway/cache.h"
#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// The reply to `request` as it can be stored. None if it is no reply that can be read, or has another id.
std::optional<CachedReply> without_id(const ParsedRequest& request, std::string_view content_type,
                                      std::string_view body, std::optional<uint64_t> json_bytes);
// The stored reply for a request: its body, and its Inference-Header-Content-Length.
std::pair<std::string, std::optional<uint64_t>> with_id(const CachedReply& reply,
                                                        const ParsedRequest& request);

}  // namespace mlq::serve
