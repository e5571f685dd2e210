#include "lib/http/dry_engine.h"

#include <utility>

namespace mlq::http {

void DryEngine::submit(uint32_t tag, const ClientRequest&) {
  events_.on_send(tag, clock_.now_ns(), {});
  sent_.push_back(tag);
}

void DryEngine::cancel(uint32_t tag) { std::erase(sent_, tag); }

void DryEngine::poll(int64_t until_ns) {
  if (sent_.empty()) poller_.wait(until_ns);
  for (const uint32_t tag : std::exchange(sent_, {})) {
    const int64_t now = clock_.now_ns();
    events_.on_header(tag, "HTTP/1.1 200 OK\r\n", now);
    events_.on_done(tag, now, {}, true);
  }
}

}  // namespace mlq::http
