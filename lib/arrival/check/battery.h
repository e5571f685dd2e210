// The tests of `check` that look at times. Inside lib/arrival only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "lib/arrival/check/claim.h"
#include "lib/arrival/check/findings.h"

namespace mlq::arrival {

// Fed with the times of a trace in order, then asked. Not thread-safe.
class Battery {
 public:
  virtual ~Battery() = default;
  virtual void add(int64_t t_ns) = 0;
  virtual void finish(int64_t duration_ns, Findings& findings) = 0;
};

struct BatteryLimits {
  uint64_t memory_bytes;  // for the sample of gaps
  uint64_t seed;          // of it
};

// The one that fits the claim. Its path, if it has a law, must be set.
std::unique_ptr<Battery> make_battery(Claim& claim, const BatteryLimits& limits);

}  // namespace mlq::arrival
