// The engine on libcurl's multi interface: keep-alive, TLS, HTTP/2, proxies.
//
// Transfers are spread over several multi handles of 64, since the cost of one grows with its transfers; all
// share one epoll instance. Waiting is by epoll_pwait2 (nanoseconds), or epoll with a timerfd where the
// kernel lacks it (before 5.11).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/http/client.h"

namespace mlq::http {

class CurlEngine final : public ClientEngine {
 public:
  // All three must outlive the engine. `most_inflight` bounds the tags: 0 <= tag < most_inflight.
  CurlEngine(const ClientConfig& config, uint32_t most_inflight, const Clock& clock, ClientEvents& events);
  ~CurlEngine() override;

  void submit(uint32_t tag, const ClientRequest& request) override;
  void cancel(uint32_t tag) override;
  void poll(int64_t until_ns) override;

  // Opens connections with one GET of `target` on each, and keeps them; gives up at `until_ns`. Returns how
  // many are open. No other transfer may be running. `failure` gets the first fault, if there is one.
  size_t open_connections(size_t count, const std::string& target, int64_t until_ns, TransferEnd& failure);

  // How poll() waits: "epoll_pwait2" or "timerfd".
  std::string_view wait_method() const;

  struct State;  // of the implementation

 private:
  std::unique_ptr<State> state_;
};

// "libcurl/7.88.1 OpenSSL/3.0.11 ..."
std::string curl_version();

// Connects, with TLS if the URL asks for it, and closes again: nothing is sent.
TransferEnd probe(const ClientConfig& config);

struct FetchedReply {
  long status = 0;   // 0: no answer came
  std::string body;  // at most 16 MiB
  TransferEnd end;
};
// One request, in a blocking manner, of whatever method; for what is asked before a run.
FetchedReply fetch(const ClientConfig& config, const ClientRequest& request, int64_t timeout_ns);

}  // namespace mlq::http
