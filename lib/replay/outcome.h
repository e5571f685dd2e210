// What can become of a request. The one list of the words that `result` and `outcome` records use.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mlq::replay {

enum class Outcome : uint8_t {
  ok,
  dns,
  connect_refused,
  connect_timeout,
  tls,
  send_reset,
  first_byte_timeout,
  idle_timeout,
  total_timeout,
  reset,
  truncated,
  http_4xx,
  http_429,
  http_5xx,
  protocol,
  json,
  sse_error,
  dropped_cap,
  cancelled,
  censored,
};
constexpr size_t kOutcomes = static_cast<size_t>(Outcome::censored) + 1;

std::string_view outcome_name(Outcome outcome);
std::optional<Outcome> outcome_named(std::string_view name);

// The server was waited for and had not answered when it was given up: what is known is a lower bound of the
// latency.
constexpr bool is_unanswered(Outcome outcome) {
  switch (outcome) {
    case Outcome::connect_timeout:
    case Outcome::first_byte_timeout:
    case Outcome::idle_timeout:
    case Outcome::total_timeout:
    case Outcome::dropped_cap:
    case Outcome::cancelled:
    case Outcome::censored:
      return true;
    default:
      return false;
  }
}

// A whole answer came, whatever it said.
constexpr bool is_answered(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
    case Outcome::http_4xx:
    case Outcome::http_429:
    case Outcome::http_5xx:
    case Outcome::json:
    case Outcome::sse_error:
      return true;
    default:
      return false;
  }
}

}  // namespace mlq::replay
