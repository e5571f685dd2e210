// The container's one reply back into the clients' replies.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/protocol/request.h"
#include "lib/serve/protocol/rope.h"

namespace mlq::serve {

// A reply of status 200 to a merged body.
struct UpstreamReply {
  std::string_view body;
  std::optional<uint64_t> json_bytes;  // its Inference-Header-Content-Length
};

// An output as the model's metadata declare it.
struct DeclaredOutput {
  std::string name;
  Datatype datatype = Datatype::fp32;
};

struct SplitRules {
  std::span<const std::string> broadcast_outputs;  // copied to all whatever their shape
  // From the metadata, if there are any: a reply with another output, without one of these (and the request
  // asks for all), or with another datatype is not split. Empty: only what the request names is checked.
  std::span<const DeclaredOutput> declared;
};

// References the reply's body, which must outlive it.
struct ClientReply {
  Rope body;
  std::optional<uint64_t> json_bytes;  // Inference-Header-Content-Length, if it is to be sent
};

struct Split {
  std::vector<ClientReply> replies;  // one a request, in order; empty if `failure` says why not
  std::string failure;               // names the output and its shape
};

// Cuts the reply to merge(requests, upstream_id) by rows. Nothing is guessed: every output must have as many
// rows as went up (or be named in broadcast_outputs), outputs are matched by name, data must be there in
// full, an id must be ours. Text is passed on as the container wrote it, NaN and blanks too, so that each
// reply has the bytes the container would have written for that client alone: only id, leading dimension,
// data and binary_data_size change. For one request the reply is passed on untouched. No state.
Split split(const UpstreamReply& reply, std::span<const ParsedRequest* const> requests,
            std::string_view upstream_id, const SplitRules& rules);

// Whether a reply of KServe v1 or of plain rows has an answer to each row of the request.
bool answers_rows(std::string_view body, const ParsedRequest& request);

}  // namespace mlq::serve
