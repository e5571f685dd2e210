// Keeps the queue short where no deadline does: CoDel's test (Nichols and Jacobson, Controlling Queue Delay,
// ACM Queue 10(5), 2012) with the answer of a server rather than a router: once requests have waited longer
// than the target for a whole interval, those that waited longer than the target are shed until one that did
// not comes to its turn (Maurer, Fail at Scale, ACM Queue 13(8), 2015). Dropping one by one, as CoDel does
// for flows that slow down when they lose a packet, does not help against clients that do not.
#pragma once

#include <cstdint>
#include <optional>

namespace mlq::serve {

class CodelGuard {
 public:
  static constexpr int64_t kIntervalNs = 100'000'000;
  // Nobody said how long is too long. Routers know it is milliseconds; clients of a model without an
  // objective that wait for their turn would rather wait than be refused, up to here.
  static constexpr double kLeastTargetNs = 1e9;

  // A head that waited that long is about to leave the queue, and would be the first of a batch. True: shed
  // it and ask for the next.
  bool shed(int64_t now_ns, int64_t waited_ns, double target_ns) {
    if (static_cast<double>(waited_ns) <= target_ns) {
      // After shedding at this moment the rest is young, but the overload is not over for that.
      if (last_shed_ns_ != now_ns) above_since_ns_.reset();
      return false;
    }
    if (!above_since_ns_) above_since_ns_ = now_ns;
    if (now_ns - *above_since_ns_ < kIntervalNs) return false;
    last_shed_ns_ = now_ns;
    return true;
  }

 private:
  std::optional<int64_t> above_since_ns_, last_shed_ns_;
};

}  // namespace mlq::serve
