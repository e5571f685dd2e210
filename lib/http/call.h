// One HTTP request and its answer, waited for: for controls and checks, not for load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/http/client.h"

namespace mlq::http {

struct CallRequest {
  ClientConfig config;  // with the whole URL: its target is what is asked for
  std::string method = "GET";
  std::string body;
  int64_t timeout_ns = 10'000'000'000;  // until the answer is whole
  size_t max_body = size_t{16} << 20;   // a longer answer is a fault
};

// Either `fault` is none and the answer is whole, or the answer is not to be used and `note` says why.
struct CallResult {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  Fault fault = Fault::none;
  bool timed_out = false;
  bool stopped = false;
  std::string note;

  bool answered() const { return fault == Fault::none && !timed_out && !stopped; }
  std::string_view header(std::string_view lower_case_name) const;  // of several the last; empty: none
};

// Blocks until the answer is whole, `timeout_ns` have passed on `clock`, or, within a tenth of a second,
// `stop` (may be null) is set. Any status is an answer. A connection of its own; any thread.
CallResult http_call(const CallRequest& request, const Clock& clock, const StopFlag* stop = nullptr);

}  // namespace mlq::http
