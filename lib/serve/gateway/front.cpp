#include "lib/serve/gateway/front.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/serve/control/admin.h"
#include "lib/serve/protocol/cache_key.h"
#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/row_array.h"

namespace mlq::serve {
namespace {

constexpr int64_t kMostTimeoutNs = 60'000'000'000;
constexpr int64_t kRelayTimeoutNs = 3600'000'000'000;
constexpr size_t kRelayUnsent = size_t{1} << 20;

void send_error(const http::Reply& reply, int status, std::string_view message,
                std::string_view headers = {}) {
  AdminAnswer answer = admin_error(status, message);
  answer.headers = headers;
  Admin::send(reply, answer);
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

bool known_content_type(std::string_view type) {
  const std::string_view media = type.substr(0, type.find_first_of("; "));
  return media.empty() || media == "application/json" || media == "application/octet-stream" ||
         media == "application/x-www-form-urlencoded";  // what curl --data sends
}

bool equal_lower(std::string_view name, std::string_view lower) {
  return std::ranges::equal(name, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

// Header lines that go up because the operator says so, in the order of the configuration.
std::string forwarded(const http::Request& request, const ModelFace& face) {
  std::string out;
  for (const std::string& name : face.forward_headers)
    for (const http::Header& header : request.headers)
      if (equal_lower(header.name, name)) out += fmt::format("{}: {}\r\n", name, header.value);
  return out;
}

std::string trace_headers(const http::Request& request) {
  std::string out;
  for (const char* name : {"traceparent", "tracestate"})
    if (const std::string_view value = request.header(name); !value.empty())
      out += fmt::format("{}: {}\r\n", name, value);
  return out;
}

// By whole segments: /generate is not above /generated.
bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) &&
         (prefix.ends_with('/') || path.size() == prefix.size() || path[prefix.size()] == '/');
}

// No segment that leads up, and no separator that only the replica would see.
bool stays_below(std::string_view path) {
  std::string plain;
  for (size_t k = 0; k < path.size(); ++k) {
    const std::string_view code = path.substr(k, 3);
    if (equal_lower(code, "%2f") || equal_lower(code, "%5c") || path[k] == '\\') return false;
    const bool dot = equal_lower(code, "%2e");
    plain += dot ? '.' : path[k];
    if (dot) k += 2;
  }
  plain += '/';
  return plain.find("/../") == plain.npos && plain.find("/./") == plain.npos;
}

}  // namespace

void Front::publish(std::shared_ptr<const ModelFace> face) { faces_[face->name] = std::move(face); }
void Front::withdraw(const std::string& model) { faces_.erase(model); }

const ModelFace* Front::face_of(std::string_view model) const {
  const auto at = faces_.find(model);
  return at == faces_.end() ? nullptr : at->second.get();
}

const ModelFace* Front::plain_at(std::string_view path) const {
  for (const auto& [name, face] : faces_)
    if (face->dialect == Dialect::plain && face->path == path) return face.get();
  return nullptr;
}

const ModelFace* Front::relay_at(std::string_view path) const {
  for (const auto& [name, face] : faces_)
    for (const std::string& prefix : face->relay)
      if (is_below(path, prefix) && stays_below(path)) return face.get();
  return nullptr;
}

void Front::handle(http::Request& request, const http::Reply& reply) {
  const std::string_view path = path_of(request.target);
  const Route route = parse_route(request.method, request.target);
  if (route.kind == RouteKind::infer || route.kind == RouteKind::predict) {
    if (const ModelFace* face = face_of(route.model)) {
      const Dialect wanted = route.kind == RouteKind::infer ? Dialect::v2 : Dialect::v1;
      if (face->dialect != wanted)
        return send_error(reply, 404, fmt::format("model \"{}\" is not served under this path", route.model));
      return infer(request, reply, *face, route.version);
    }
    return send_error(reply, 404, fmt::format("there is no model \"{}\"", route.model));
  }
  if (const ModelFace* face = plain_at(path)) {
    if (request.method != "POST")
      return send_error(reply, 405, fmt::format("{} is for POST", path), "Allow: POST\r\n");
    return infer(request, reply, *face, {});
  }
  if (const ModelFace* face = relay_at(path)) return relay(request, reply, *face);
  if (route.kind == RouteKind::none)
    return send_error(reply, 404, fmt::format("there is nothing at {}", path));
  if (route.kind == RouteKind::wrong_method)
    return send_error(reply, 405, fmt::format("{} is not for {}", path, request.method));
  server_route(route, reply);
}

void Front::server_route(const Route& route, const http::Reply& reply) {
  const auto json = [&](int status, std::string_view body) {
    reply.send({status, "application/json", {}, body});
  };
  switch (route.kind) {
    case RouteKind::live:
      return json(200, R"({"live":true})");
    case RouteKind::ready: {
      const bool all = std::ranges::all_of(faces_, [](const auto& entry) { return entry.second->ready; });
      const bool ready = all && !host_.draining();
      return json(ready ? 200 : 503, ready ? R"({"ready":true})" : R"({"ready":false})");
    }
    case RouteKind::server:
      return json(200,
                  fmt::format(R"({{"name":"mlq-serve","version":"{}","extensions":["binary_tensor_data",)"
                              R"("schedule_policy"]}})",
                              host_.version()));
    default:
      break;
  }
  const ModelFace* face = face_of(route.model);
  if (face == nullptr) return send_error(reply, 404, fmt::format("there is no model \"{}\"", route.model));
  if (route.kind == RouteKind::model_ready) {
    const bool ready = face->ready && !host_.draining();
    return json(ready ? 200 : 503, fmt::format(R"({{"name":"{}","ready":{}}})", face->name, ready));
  }
  if (route.kind == RouteKind::model_v1)
    return json(face->ready ? 200 : 503,
                fmt::format(R"({{"name":"{}","ready":{}}})", face->name, face->ready));
  if (face->dialect != Dialect::v2)
    return send_error(reply, 404, fmt::format("model \"{}\" has no metadata", face->name));
  const uint64_t token = next_token();
  waiting_.emplace(token, Waiting{reply, face->name});
  host_.ask_metadata(number_, face->name, std::string(route.version), token);
}

// What is wrong with the head; answered then.
bool Front::accept(const http::Request& request, const http::Reply& reply, const ModelFace& face) {
  if (!request.header("content-encoding").empty())
    send_error(reply, 415, "Content-Encoding: send the body as it is");
  else if (!known_content_type(request.header("content-type")))
    send_error(reply, 415, "Content-Type: application/json or application/octet-stream is wanted");
  else if (request.body.empty())
    send_error(reply, 400, fmt::format("model \"{}\": there is no body", face.name));
  else
    return true;
  return false;
}

void Front::infer(http::Request& request, const http::Reply& reply, const ModelFace& face,
                  std::string_view version) {
  if (!accept(request, reply, face)) return;
  auto call = std::make_unique<Call>();
  call->token = next_token();
  call->front = number_;
  call->first_byte_ns = request.first_byte_ns;
  call->content_type = request.header("content-type");
  call->version = version;
  call->forward = forwarded(request, face);
  call->alone_headers = trace_headers(request);
  if (const std::string_view cache = request.header("x-mlq-cache"); !cache.empty()) {
    call->cache_bypass = cache == "bypass";
    call->cache_refresh = cache == "refresh";
  }
  if (const std::string_view timeout = request.header("x-mlq-timeout"); !timeout.empty()) {
    try {
      call->timeout_ns = parse_duration(timeout);
    } catch (const Error&) {
      return send_error(reply, 400, "x-mlq-timeout: a time is wanted, as in 50ms");
    }
  }
  std::optional<uint64_t> json_bytes;
  if (const std::string_view text = request.header("inference-header-content-length"); !text.empty()) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      return send_error(reply, 400, "Inference-Header-Content-Length: a whole number is wanted");
    json_bytes = value;
  }
  call->body = std::move(request.body);
  std::optional<Refusal> refusal;
  switch (face.dialect) {
    case Dialect::v2:
      refusal = parse_v2(call->body, json_bytes, face.rules, call->parsed);
      break;
    case Dialect::v1:
      refusal = parse_v1(call->body, face.rules, call->parsed);
      break;
    case Dialect::plain:
      refusal = parse_plain(call->body, {face.rows_pointer, face.answers_pointer}, face.rules, call->parsed);
      break;
  }
  if (refusal) return send_error(reply, refusal->status, refusal->message);
  if (call->parsed.timeout_ns > 0)
    call->timeout_ns = std::min(call->timeout_ns.value_or(kMostTimeoutNs), call->parsed.timeout_ns);
  if (call->timeout_ns) call->timeout_ns = std::min(*call->timeout_ns, kMostTimeoutNs);
  if (call->parsed.alone.empty()) call->key = batch_key(call->parsed, face.name, version, call->forward);
  if (face.wants_cache_text && call->parsed.alone.empty() && !call->cache_bypass) {
    call->cache_text = call->key.text;
    append_cache_text(call->parsed, call->cache_text);
  }
  call->parsed_ns = http::Reactor::now_ns();
  const uint64_t token = call->token;
  const auto at = waiting_.emplace(token, Waiting{reply, face.name}).first;
  reply.on_gone([this, token] {
    const auto gone = waiting_.find(token);
    if (gone == waiting_.end()) return;
    const std::string model = std::move(gone->second.model);
    waiting_.erase(gone);
    host_.gone(model, token);
  });
  reply.on_sent([this, token](int64_t now) {
    const auto sent = waiting_.find(token);
    if (sent == waiting_.end()) return;
    const std::string model = std::move(sent->second.model);
    waiting_.erase(sent);
    host_.sent(model, token, now);
  });
  if (host_.submit(face.name, std::move(call))) return;
  waiting_.erase(at);
  send_error(reply, 503, "too many requests are on their way to the model",
             "x-mlq-reason: queue_full\r\nRetry-After: 1\r\nx-mlq-retry-after-ns: 1000000\r\n");
}

void Front::answer(uint64_t token, const Answer& answer) {
  const auto at = waiting_.find(token);
  if (at == waiting_.end()) return;  // the client has gone, and has been told of
  http::Response response;
  response.status = answer.status;
  response.content_type = answer.content_type;
  response.headers = answer.headers;
  if (!answer.pieces.empty()) {
    response.body = answer.pieces.front();
    response.more = std::span(answer.pieces).subspan(1);
  }
  response.close = host_.draining();
  at->second.reply.send(response);
}

http::ClientPool& Front::relay_pool(const std::string& url) {
  auto& pool = relay_pools_[url];
  if (!pool) {
    http::ClientPoolOptions options;
    options.max_connections = 1024;
    pool = std::make_unique<http::ClientPool>(reactor_, http::parse_url(url), options);
  }
  return *pool;
}

// Passed through as it comes, in both directions; nothing is parsed.
void Front::relay(http::Request& request, const http::Reply& reply, const ModelFace& face) {
  if (host_.closed() || face.relay_urls.empty())
    return send_error(
        reply, 503, "no replica of the model is there",
        fmt::format("x-mlq-reason: {}\r\nRetry-After: 1\r\n", host_.closed() ? "draining" : "no_replica"));
  http::ClientPool& pool = relay_pool(face.relay_urls[relays_++ % face.relay_urls.size()]);
  std::string headers = forwarded(request, face) + trace_headers(request);
  for (const char* name : {"Content-Type", "Accept", "Inference-Header-Content-Length"})
    if (const std::string_view value = request.header(name); !value.empty())
      headers += fmt::format("{}: {}\r\n", name, value);
  const auto body = std::make_shared<const std::string>(std::move(request.body));
  const std::string_view piece = *body;
  http::UpstreamRequest up;
  up.method = request.method;
  up.target = request.target;
  up.headers = headers;
  if (!body->empty()) up.body = {&piece, 1};
  up.owner = body;
  up.may_resend = request.method == "GET";
  const auto id = std::make_shared<uint64_t>(0);
  http::ClientPool::Stream stream;
  stream.on_head = [reply](const http::UpstreamReply& head) {
    std::string more;
    if (const std::string_view length = head.header("inference-header-content-length"); !length.empty())
      more = fmt::format("Inference-Header-Content-Length: {}\r\n", length);
    reply.start({head.status, head.header("content-type"), more});
  };
  stream.on_piece = [reply, id, &pool](std::string_view text) {
    reply.write(text);
    if (reply.unsent_bytes() < kRelayUnsent) return true;
    reply.on_drained([id, &pool] { pool.resume(*id); });
    return false;
  };
  stream.on_end = [reply](const http::UpstreamReply& end) {
    if (end.fault == http::UpstreamFault::none) return reply.finish();
    if (end.status == 0) return send_error(reply, 502, end.error, "x-mlq-reason: upstream_error\r\n");
    reply.reset();  // it has begun: only the connection can say that it is not whole
  };
  *id = pool.send_streaming(up, http::Reactor::now_ns() + kRelayTimeoutNs, std::move(stream));
  reply.on_gone([id, &pool] { pool.cancel(*id); });
}

}  // namespace mlq::serve
