// An engine without sockets: every request is answered with 200 as soon as it is sent. What is left is the
// lag that the machine itself makes.
#pragma once

#include <vector>

#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "lib/http/poller.h"

namespace mlq::http {

class DryEngine final : public ClientEngine {
 public:
  DryEngine(const Clock& clock, ClientEvents& events) : clock_(clock), events_(events), poller_(clock) {}

  void submit(uint32_t tag, const ClientRequest& request) override;
  void cancel(uint32_t tag) override;
  void poll(int64_t until_ns) override;
  bool has_pwait2() const { return poller_.has_pwait2(); }

 private:
  const Clock& clock_;
  ClientEvents& events_;
  Poller poller_;
  std::vector<uint32_t> sent_;
};

}  // namespace mlq::http
