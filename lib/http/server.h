// An HTTP/1.1 server: one thread, many connections, answers now or later. Hides Boost.Asio and Boost.Beast.
//
// Requests are read whole and handed to a handler, which answers at once or keeps the Reply and answers
// later. Requests that a client sends ahead on one connection are answered one after the other. No TLS, no
// HTTP/2.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/stop.h"

namespace mlq::http {

class Connection;
class Loop;

struct Header {
  std::string_view name;
  std::string_view value;
};

// A request that was read whole. Views are valid until the handler returns.
struct Request {
  std::string_view method;
  std::string_view target;  // as it stands in the request line
  std::span<const Header> headers;
  std::string_view body;
  int64_t arrival_ns = 0;  // CLOCK_MONOTONIC when its last byte was read
  uint64_t ordinal = 0;    // of the requests on its connection, from 0

  // The value of the first header of that name, in any case; empty if there is none.
  std::string_view header(std::string_view name) const;
};

// An answer, or its head. What the views show is copied before the call that takes it returns.
struct Response {
  int status = 200;
  std::string_view content_type = {};  // empty: no such header
  std::string_view headers = {};       // further header lines, each with its CR LF
  std::string_view body = {};
  bool close = false;  // close the connection after it, and say so
};

// Writes up to `room` bytes to `out` and returns how many; 0 ends it.
using Source = std::function<size_t(char* out, size_t room)>;

// The handle by which one request is answered. A value that may be copied and kept; to be used from the
// server's thread only, and not after the server's end. Each request must be answered: whole by send() or
// send_from(), as a stream by start(), write()... and finish(), or by close() or reset(). Calls that come
// when the request has been answered or the client has gone do nothing.
class Reply {
 public:
  Reply(std::shared_ptr<Connection> connection, uint64_t ordinal)
      : connection_(std::move(connection)), ordinal_(ordinal) {}

  void send(const Response& response) const;
  // A body of `length` bytes, asked from `body` as the client takes it: 64 KiB of it are in memory. If the
  // source ends early the connection is closed. response.body is not looked at.
  void send_from(const Response& head, uint64_t length, Source body) const;
  // Bytes as they are in place of an answer, then the connection is closed.
  void send_raw(Source bytes) const;

  // An answer in chunks (to a client of HTTP/1.0: until the connection closes).
  void start(const Response& head) const;
  // One chunk, sent at once; nothing for an empty piece. What the client does not take is held in memory:
  // look at unsent_bytes().
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

 private:
  std::shared_ptr<Connection> connection_;
  uint64_t ordinal_;
};

using Handler = std::function<void(const Request&, const Reply&)>;

struct ServerOptions {
  std::string host = "127.0.0.1";                // address or name to listen on
  uint16_t port = 0;                             // 0: any free one
  std::string unix_path;                         // listen on this socket instead; a stale one is replaced
  uint64_t max_body_bytes = uint64_t{64} << 20;  // a longer body is answered with 413
  uint64_t read_rate = 0;   // bytes a second that are read of a connection; 0: as they come
  uint64_t write_rate = 0;  // bytes a second that are sent on a connection; 0: as they go
};

// Largest head of a request; a larger one is answered with 431.
constexpr uint32_t kMaxHeaderBytes = 64 * 1024;

// Memory: a connection holds at most one request, 64 KiB of what a client sends ahead, and what its answer
// has not got rid of; between requests next to nothing. The number of connections is bounded by the
// descriptors of the process: when they run out, accepting pauses until there are some again. stop() may be
// called from any thread; everything else belongs to one thread, the one that calls run().
class Server {
 public:
  // Listens, so that connections queue up from here on; nothing is answered before run(). An environment
  // Error says why it cannot.
  Server(const ServerOptions& options, Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  uint16_t port() const;    // 0 of a unix socket
  std::string url() const;  // http://127.0.0.1:8000 or unix:/run/model.sock

  // Serves until stop() is called or the flag is set (it is looked at 50 times a second). Faults of the
  // network are never thrown; what the handler or a timer throws ends the server and comes out here. To be
  // called once.
  void run(const StopFlag* stop = nullptr);
  // Ends run(): no more connections, idle ones are closed, answers under way may take `grace_ns` more.
  void stop(int64_t grace_ns = 5'000'000'000);

  // Calls `run` from the server's thread when CLOCK_MONOTONIC reaches `at_ns`, never before; timers of the
  // same instant in the order they were set.
  void call_at(int64_t at_ns, std::function<void()> run);
  static int64_t now_ns();  // CLOCK_MONOTONIC

 private:
  struct Listener;
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace mlq::http
