// Whether an endpoint does what its file says: the part of `check` that touches it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/clock.h"
#include "lib/records/tune.h"
#include "lib/tune/actuator/actuator.h"

namespace mlq::tune {

struct ActuatorCheck {
  // read, apply, neighbour, revert: those that were come to.
  std::vector<records::CheckStep> steps;
  std::optional<PointId> present;            // what was set at first, and is again if all went well
  std::optional<ApplyResult> failure;        // of the first step that failed; none: all is well
  int64_t apply_ns = 0;                      // the longest of the applies that went well
  ApplyClass apply_class = ApplyClass::hot;  // of the change to the neighbour
};

// Reads what is set, sets it again, sets one neighbour (the cheapest change of one knob), and goes back.
// `start` is taken where nothing can be read, or what is read is no point of the space. An input Error if
// there is neither; an environment Error if the endpoint is out of reach. A stop request still goes back.
ActuatorCheck check_actuator(Actuator& actuator, const Space& space, const std::optional<Config>& start,
                             const Clock& clock, const StopFlag& stop);

}  // namespace mlq::tune
