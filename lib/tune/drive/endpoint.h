// What is tuned: its knobs, how they are set, and where windows come from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/tune/actuator/actuator.h"
#include "lib/tune/measure/source.h"
#include "lib/tune/space/space_file.h"

namespace mlq::tune {

// Owned by one thread.
struct Endpoint {
  std::string name;  // for records; without secrets
  std::shared_ptr<const Space> space;
  std::unique_ptr<Actuator> actuator;
  std::unique_ptr<WindowSource> source;  // null: nothing is measured
  SafetyRules safety;
  std::optional<Config> start;   // that the file gives; none: what is set now
  std::string levels = "rate";   // rate segment single
  int64_t settle_ns = 0;         // what the endpoint asks for after a change
  uint64_t warmup_requests = 0;  // and how many requests it wants to have seen
};

}  // namespace mlq::tune
