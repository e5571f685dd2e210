#include "lib/serve/gateway/reply_id.h"

#include <fmt/format.h>

#include "lib/serve/protocol/reply.h"
#include "lib/serve/protocol/split.h"

namespace mlq::serve {

std::optional<CachedReply> without_id(const ParsedRequest& request, std::string_view content_type,
                                      std::string_view body, std::optional<uint64_t> json_bytes) {
  CachedReply out{std::string(content_type), json_bytes, {}};
  if (request.dialect == Dialect::v2) {
    Reply reply;
    if (read_reply({body, json_bytes}, request.rows, {}, request.id.value_or(std::string_view()), {}, reply))
      return std::nullopt;
    if (reply.id) {
      const TextSpan cut = reply.id_member;
      out.body = body.substr(0, cut.begin);
      out.body += body.substr(cut.end);
      if (json_bytes) out.json_bytes = *json_bytes - (cut.end - cut.begin);
      return out;
    }
  } else if (!answers_rows(body, request)) {
    return std::nullopt;
  }
  out.body = body;
  return out;
}

std::pair<std::string, std::optional<uint64_t>> with_id(const CachedReply& reply,
                                                        const ParsedRequest& request) {
  if (request.dialect != Dialect::v2 || !request.id) return {reply.body, reply.json_bytes};
  const size_t brace = reply.body.find('{');
  std::string body = reply.body.substr(0, brace + 1);
  body += fmt::format("\"id\":\"{}\",", *request.id);
  const size_t added = body.size() - (brace + 1);
  body += std::string_view(reply.body).substr(brace + 1);
  return {std::move(body), reply.json_bytes ? std::optional(*reply.json_bytes + added) : std::nullopt};
}

}  // namespace mlq::serve
