#include "lib/replay/outcome.h"

#include <algorithm>
#include <array>

namespace mlq::replay {
namespace {

constexpr std::array<std::string_view, kOutcomes> kNames = {"ok",
                                                            "dns",
                                                            "connect_refused",
                                                            "connect_timeout",
                                                            "tls",
                                                            "send_reset",
                                                            "first_byte_timeout",
                                                            "idle_timeout",
                                                            "total_timeout",
                                                            "reset",
                                                            "truncated",
                                                            "http_4xx",
                                                            "http_429",
                                                            "http_5xx",
                                                            "protocol",
                                                            "json",
                                                            "sse_error",
                                                            "dropped_cap",
                                                            "cancelled",
                                                            "censored"};

}  // namespace

std::string_view outcome_name(Outcome outcome) { return kNames[static_cast<size_t>(outcome)]; }

std::optional<Outcome> outcome_named(std::string_view name) {
  const auto at = std::find(kNames.begin(), kNames.end(), name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Outcome>(at - kNames.begin());
}

}  // namespace mlq::replay
