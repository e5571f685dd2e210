// The knobs of a model's scheduler, with their defaults. The knob table of a program binds to these members.
#pragma once

#include <cstdint>

namespace mlq::serve {

enum class ControllerKind : uint8_t { fixed, aimd, quantile, knee };
enum class DelayMode : uint8_t { automatic, fixed };
enum class ConcurrencyMode : uint8_t { fixed, gradient };
enum class DropRule : uint8_t { window, earliest, none };

struct SchedulerKnobs {
  ControllerKind controller = ControllerKind::knee;  // who chooses the size of a batch
  uint32_t max_rows = 256;                           // rows of a batch at most, 1 to 4096
  DelayMode delay_mode = DelayMode::automatic;       // when a batch that is not full waits for more
  int64_t delay_ns = 0;                              // delay_mode fixed: the oldest waits at most this long
  uint32_t concurrency = 1;                          // batches at a time in each replica, 1 to 64
  ConcurrencyMode concurrency_mode = ConcurrencyMode::fixed;  // gradient: found from latencies, 64 at most
  uint64_t max_batch_bytes = 16u << 20;                       // request bytes of a batch at most
  int64_t slo_ns = 0;                                         // latency objective, 0: none
  double slo_quantile = 0.99;                                 // the share of requests that is to keep it
  double aimd_add = 2;                                        // aimd: rows more after a full batch in time
  double aimd_mul = 0.9;                                      // aimd: factor after a late batch
  double aimd_band = 0.9;                 // aimd: no growth above this share of the budget
  double knee_share = 0.95;               // knee: the least size with this share of the best throughput
  DropRule drop_rule = DropRule::window;  // what leaves the queue because it would be late
  bool admit = true;                      // refuse at the door what would be late
  uint32_t max_queue_rows = 8192;         // rows waiting at most
  uint64_t max_queue_bytes = 64u << 20;   // request bytes waiting at most
  double retry_share = 0.1;               // retries at most, as a share of requests

  bool operator==(const SchedulerKnobs&) const = default;
};

}  // namespace mlq::serve
