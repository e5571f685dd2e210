// An HTTP/1.1 server on a reactor: many connections, answers now or later.
//
// Requests are read whole and handed to a handler, which answers at once or keeps the Reply and answers
// later. Requests that a client sends ahead on one connection are answered one after the other. No TLS, no
// HTTP/2.
//
// What could be read in two ways is refused with 400 and the connection closed, since another server on the
// way may have read it the other way: RFC 9112, sections 2.2, 3, 5, 6.1, 6.3 and 11.2 (message.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lib/http/reactor.h"

namespace mlq::http {

class Connection;

struct Header {
  std::string_view name;
  std::string_view value;
};

// The value of the first header of that name, in any case; empty if there is none.
std::string_view header_of(std::span<const Header> headers, std::string_view name);

// Spare bytes behind a body, for readers that look ahead (simdjson's padding).
constexpr size_t kBodyPadding = 64;

// A request that was read whole. Views are valid until the handler returns.
struct Request {
  std::string_view method;
  std::string_view target;  // as it stands in the request line
  std::span<const Header> headers;
  // May be moved out. Its capacity is at least its size + kBodyPadding.
  std::string body;
  int64_t first_byte_ns = 0;  // CLOCK_MONOTONIC when its first byte was read
  int64_t arrival_ns = 0;     // and its last
  uint64_t ordinal = 0;       // of the requests on its connection, from 0

  std::string_view header(std::string_view name) const { return header_of(headers, name); }
};

// An answer, or its head. What the views show is sent or copied before the call that takes it returns.
struct Response {
  int status = 200;
  std::string_view content_type = {};  // empty: no such header
  std::string_view headers = {};       // further header lines, each with its CR LF
  std::string_view body = {};
  std::span<const std::string_view> more = {};  // pieces of the body that follow `body`
  bool close = false;                           // close the connection after it, and say so
};

// Writes up to `room` bytes to `out` and returns how many; 0 ends it.
using Source = std::function<size_t(char* out, size_t room)>;

// The handle by which one request is answered. A value that may be copied and kept; to be used from the
// reactor's thread only, and not after the server's end. Each request must be answered: whole by send() or
// send_from(), as a stream by start(), write()... and finish(), or by close() or reset(). Calls that come
// when the request has been answered or the client has gone do nothing.
class Reply {
 public:
  Reply(std::shared_ptr<Connection> connection, uint64_t ordinal)
      : connection_(std::move(connection)), ordinal_(ordinal) {}

  // What the kernel takes at once is not copied.
  void send(const Response& response) const;
  // A body of `length` bytes, asked from `body` as the client takes it: 64 KiB of it are in memory. If the
  // source ends early the connection is closed. response.body is not looked at.
  void send_from(const Response& head, uint64_t length, Source body) const;
  // Bytes as they are in place of an answer, then the connection is closed.
  void send_raw(Source bytes) const;

  // An answer in chunks (to a client of HTTP/1.0: until the connection closes).
  void start(const Response& head) const;
  // One chunk, sent at once; nothing for an empty piece. What the client does not take is held in memory:
  // look at unsent_bytes(), and wait with on_drained().
  void write(std::string_view piece) const;
  void finish() const;

  // Closes the connection once what was written has been sent.
  void close() const;
  // Resets it at once (RST by SO_LINGER of 0); what was not sent is lost.
  void reset() const;

  // Whether the request still waits for its answer, or for more of it, and the client has not been seen to
  // go.
  bool open() const;
  size_t unsent_bytes() const;

  // Hooks of this request, each called once at most and from the loop. To be set before the answer.
  // on_gone: the connection has ended before the last byte of the answer was handed to the kernel. A client
  // that has only ended its own side of a TCP connection may still read, and is answered: it counts as gone
  // when it resets. reset() and the server's end make no call.
  void on_gone(std::function<void()> call) const;
  // on_sent: the last byte was handed to the kernel, at `now_ns`.
  void on_sent(std::function<void(int64_t now_ns)> call) const;
  // on_drained: nothing is unsent any more. May be set again and again; called later if there is nothing now.
  void on_drained(std::function<void()> call) const;

 private:
  std::shared_ptr<Connection> connection_;
  uint64_t ordinal_;
};

using Handler = std::function<void(Request&, const Reply&)>;

// Timeouts are looked at in steps of about a tenth of their length.
struct ServerOptions {
  std::string host = "127.0.0.1";  // address or name to listen on
  uint16_t port = 0;               // 0: any free one
  std::string unix_path;           // listen on this socket instead; a stale one is replaced
  bool reuse_port = false;         // several servers of this process (or user) share the port

  // A refusal's body is {"error": "..."}; the connection is closed after it.
  uint32_t max_header_bytes = 64 * 1024;  // a longer head: 431
  uint32_t max_target_bytes = 64 * 1024;  // a longer target: 414
  uint64_t max_body_bytes = uint64_t{64}
                            << 20;  // a longer body: 413, before it is read if its length is said
  // More connections at a time: up to 64 of them are told 503 with `x-mlq-reason: connections` and closed,
  // and then accepting pauses, as it does when descriptors run out. 0: no limit but that.
  uint32_t max_connections = 0;
  int64_t header_timeout_ns = 0;  // from a request's first byte to the end of its head, else 408; 0: none
  int64_t idle_timeout_ns = 0;    // between requests, then the connection is closed; 0: none
  // Bytes a second: a body may take body_grace_ns + its bytes / this, else 408; 0: any time.
  uint64_t min_body_rate = 0;
  int64_t body_grace_ns = 5'000'000'000;
  int64_t send_timeout_ns = 0;  // a client that takes nothing for so long is reset; 0: none

  uint64_t read_rate = 0;   // bytes a second that are read of a connection; 0: as they come
  uint64_t write_rate = 0;  // bytes a second that are sent on a connection; 0: as they go

  // Told the status of each refusal that the handler does not see (400 408 413 414 431, 503 for connections).
  std::function<void(int status)> on_refused = {};
};

struct ServerCounters {
  uint64_t accepted = 0;        // connections so far
  uint64_t open = 0;            // now
  uint64_t buffered_bytes = 0;  // of requests not yet handed over, and of answers not yet sent; now
};

// Memory: a connection holds at most one request, 64 KiB of what a client sends ahead, and what its answer
// has not got rid of; between requests next to nothing. A body takes no memory before it arrives. To be used
// from the reactor's thread.
class Server {
 public:
  // Listens, so that connections queue up from here on; nothing is answered before the reactor runs. An
  // environment Error says why it cannot.
  Server(Reactor& reactor, const ServerOptions& options, Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // closes what is open

  uint16_t port() const;    // 0 of a unix socket
  std::string url() const;  // http://127.0.0.1:8000 or unix:/run/model.sock

  // For good: the socket is closed, idle connections are closed too, the others with their next answer, which
  // says `Connection: close`.
  void stop_accepting();
  ServerCounters counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mlq::http
