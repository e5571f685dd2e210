// A client of one HTTP/1.1 server on a reactor: many requests at a time, each on a connection of its own,
// which is kept and used again. No TLS, no redirects, no pipelining.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lib/http/reactor.h"
#include "lib/http/server.h"
#include "lib/http/url.h"

namespace mlq::http {

struct ClientPoolOptions {
  uint32_t max_connections = 64;  // of this pool; a request beyond that fails at once (busy)
  int64_t connect_timeout_ns = 1'000'000'000;
  uint64_t max_reply_bytes = uint64_t{256} << 20;  // of a body
  uint32_t max_head_bytes = 64 * 1024;
};

// What goes over the wire. method, target, headers and the array `body` are read before send() returns; the
// bytes that the pieces of the body show must stay until the callback or cancel(): `owner` is held until
// then.
struct UpstreamRequest {
  std::string_view method = "POST";
  std::string_view target = "/";  // appended to the path of the pool's URL
  std::string_view headers =
      {};  // further header lines, each with its CR LF; not Host, Content-Length, Connection
  std::span<const std::string_view> body = {};
  std::shared_ptr<const void> owner = {};
  // It does no harm if the server sees it twice. A kept connection that the server closes as the request goes
  // out cannot be told from one that it closes because of the request: with this, the request then goes out
  // again, once, on a new connection; without, that is reset_before_reply.
  bool may_resend = true;
};

enum class UpstreamFault : uint8_t {
  none,
  busy,                // max_connections requests are under way
  resolve,             // the name has no address
  refused,             // or unreachable, or no connection within connect_timeout_ns
  reset_before_reply,  // the connection ended before a byte of the reply came
  reset_mid_reply,     // and before its end
  timeout,             // the deadline passed
  too_large,           // head or body over its limit
  malformed,           // what came is not HTTP
};
const char* name_of(UpstreamFault fault);  // as it is written here

struct UpstreamReply {
  UpstreamFault fault = UpstreamFault::none;
  std::string error;                     // the fault in words
  int status = 0;                        // 0: no head came
  std::span<const Header> headers = {};  // valid until the callback returns
  // May be moved out. Its capacity is at least its size + kBodyPadding. Empty after a fault.
  std::string body;
  bool reused = false;         // the connection had been used before
  int64_t first_write_ns = 0;  // CLOCK_MONOTONIC before the first byte was handed to the kernel; 0: none was
  int64_t last_read_ns = 0;    // when the last byte of the reply was read; 0: none was

  std::string_view header(std::string_view name) const { return header_of(headers, name); }
};

struct ClientPoolCounters {
  uint64_t opened = 0;  // connections so far
  uint64_t resent = 0;  // requests that went out twice, their kept connection being dead
  uint32_t idle = 0;    // connections now
  uint32_t active = 0;
};

// To be used from the reactor's thread. Callbacks come from the loop, never from within the call that they
// answer, and may call the pool. Memory: a connection holds one request's head and one reply.
class ClientPool {
 public:
  using Callback = std::function<void(UpstreamReply& reply)>;
  // A reply in parts: on_head once (status, headers), on_piece for each part of the body as it comes, on_end
  // last with the fault if there was one (status 0 if on_head was not called) and neither headers nor body.
  // on_piece returns false to have no more for now: resume() goes on.
  struct Stream {
    std::function<void(const UpstreamReply& head)> on_head;
    std::function<bool(std::string_view piece)> on_piece;
    std::function<void(const UpstreamReply& end)> on_end;
  };

  // `url`: http, its target a path that stands before the targets of requests; or a Unix socket. Looks the
  // name up, and again after a failed connect, on a thread of its own. A usage Error for https; no Error if
  // there is no address: the requests will fail.
  ClientPool(Reactor& reactor, const Url& url, const ClientPoolOptions& options = {});
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;
  ~ClientPool();  // no more callbacks; what is under way is cancelled

  // Sends it now, or when a connection is there. `deadline_ns` is absolute (CLOCK_MONOTONIC). Returns an id,
  // never 0.
  uint64_t send(const UpstreamRequest& request, int64_t deadline_ns, Callback callback);
  uint64_t send_streaming(const UpstreamRequest& request, int64_t deadline_ns, Stream stream);
  // Closes the connection of a request under way; no callback comes. Does nothing if it has ended.
  void cancel(uint64_t id);
  void resume(uint64_t id);

  // Whether a connection can be made: empty if so, else why not. It is closed at once. Does not count against
  // max_connections.
  void connect_only(int64_t deadline_ns, std::function<void(std::string_view error)> callback);

  ClientPoolCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mlq::http
