// An HTTP client that sends when it is told to and says what happens when it happens: the border between the
// send loop and the engines that own sockets. One engine belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http/url.h"

namespace mlq::http {

enum class Version { http1_1, http2, http2_prior };  // http2: by ALPN; http2_prior: from the first byte

struct ClientConfig {
  Url url;
  Version version = Version::http1_1;
  bool insecure = false;             // the certificate is not checked
  std::string cacert;                // file of certificates to trust instead of the system's
  std::string proxy;                 // empty: none, whatever the environment says
  bool follow = false;               // redirects are followed
  std::vector<std::string> headers;  // of every request, as "Name: value"
  int64_t connect_timeout_ns = 5'000'000'000;
};

// What goes over the wire. The views must stay until on_done, or until the request is cancelled.
struct ClientRequest {
  std::string_view method = "GET";
  std::string_view target = "/";  // path and query
  std::string_view body;
  std::vector<std::string> headers = {};  // further "Name: value", taken over
  bool may_resend = false;                // it does no harm if the server sees it twice
};

// Why a transfer did not come to its end.
enum class Fault : uint8_t {
  none,
  dns,
  refused,  // or unreachable
  connect_timeout,
  tls,
  send_reset,  // the connection broke while the request was being sent
  reset,       // or before the answer was whole
  truncated,   // the answer ended early, in good order
  protocol,    // what came is not HTTP
  aborted,     // on_body said so
  fd_limit,    // no file descriptor was left
  ports,       // no local port was left
  internal,    // the engine failed
};

struct TransferEnd {
  Fault fault = Fault::none;
  std::string note;  // the fault in words
};

struct SendInfo {
  uint16_t local_port = 0;  // 0: a unix socket
  uint32_t attempt = 1;     // 2: a kept connection was dead, and the request goes out again
};

// What happens to the requests of an engine, by the tags that they were submitted with. All stamps come from
// the engine's clock. Must not call the engine, apart from reading its clock.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  // The connection is there; the first byte is about to be handed to the kernel.
  virtual void on_send(uint32_t tag, int64_t now_ns, const SendInfo& info) = 0;
  // The last byte was. Only of bodies over kLargeBody.
  virtual void on_sent(uint32_t tag, int64_t now_ns) = 0;
  // A header line with its line end; the first is the answer's first byte.
  virtual void on_header(uint32_t tag, std::string_view line, int64_t now_ns) = 0;
  // A piece of the body; false ends the transfer (Fault::aborted).
  virtual bool on_body(uint32_t tag, std::string_view piece, int64_t now_ns) = 0;
  // The last event of a tag. `reused`: the connection had been open before.
  virtual void on_done(uint32_t tag, int64_t now_ns, const TransferEnd& end, bool reused) = 0;
};

constexpr size_t kLargeBody = size_t{64} << 10;

class ClientEngine {
 public:
  virtual ~ClientEngine() = default;
  // Begins a transfer now. Its events come from this call and from poll(), on_done only from poll().
  virtual void submit(uint32_t tag, const ClientRequest& request) = 0;
  // Ends a transfer without on_done; its connection is closed unless it is shared.
  virtual void cancel(uint32_t tag) = 0;
  // Hands out events; returns once there were some, or when the clock has reached `until_ns`.
  virtual void poll(int64_t until_ns) = 0;
};

}  // namespace mlq::http
