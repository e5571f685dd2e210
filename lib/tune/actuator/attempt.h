// What the steps of one apply have in common: time, a stop request, and how one of them failed.
#pragma once

#include <time.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/tune/actuator/actuator.h"

namespace mlq::tune {

// Why an apply ends before its end.
struct Failure {
  ApplyResult result = ApplyResult::broken;
  std::string note;
};
using Failed = std::optional<Failure>;

// One call of Actuator::apply or read. `stop` is null where a stop request is not to be looked at.
class Attempt {
 public:
  Attempt(const Clock& clock, const StopFlag* stop) : clock_(clock), stop_(stop) {}
  const Clock& clock() const { return clock_; }
  const StopFlag* stop() const { return stop_; }
  int64_t now_ns() const { return clock_.now_ns(); }
  bool stopped() const { return stop_ != nullptr && *stop_; }
  // Waits until then; false as soon as there is a stop request.
  bool wait_until(int64_t at_ns) const {
    while (!stopped()) {
      const int64_t left = at_ns - now_ns();
      if (left <= 0) return true;
      const timespec nap{0, static_cast<long>(std::clamp<int64_t>(left, 100'000, kNapNs))};
      ::nanosleep(&nap, nullptr);
    }
    return false;
  }
  bool wait(int64_t ns) const { return wait_until(now_ns() + ns); }

 private:
  static constexpr int64_t kNapNs = 5'000'000;
  const Clock& clock_;
  const StopFlag* stop_;
};

}  // namespace mlq::tune
