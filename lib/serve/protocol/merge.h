// Many requests into one.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "lib/serve/protocol/request.h"
#include "lib/serve/protocol/rope.h"

namespace mlq::serve {

// A body for the container. References the requests' bodies, which must outlive it.
struct UpstreamBody {
  Rope body;
  std::optional<uint64_t> json_bytes;  // Inference-Header-Content-Length, if it is to be sent
  uint64_t rows = 0;
  // The client's own bytes: send its content type too. Else it is application/octet-stream if json_bytes is
  // there, application/json if not.
  bool untouched = false;
};

// One request is passed on untouched, whatever it is. Two or more must have equal batch keys and none may be
// `alone`: their rows follow each other in the order given, under `upstream_id` (v2; plain characters:
// letters, digits, - and _), without the clients' ids, priorities and timeouts.
UpstreamBody merge(std::span<const ParsedRequest* const> requests, std::string_view upstream_id);

}  // namespace mlq::serve
