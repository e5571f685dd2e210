// Queues with known answers, computed from absolute times: nothing is slept, so nothing drifts. Times are
// integer nanoseconds on any clock; arrivals come in order of time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

namespace mlq::replay {

// Times beyond this stand still, so that sums cannot overflow.
constexpr int64_t kForeverNs = int64_t{1} << 62;

// First come, first served by `servers` equal servers (G/G/c); 0 servers: as many as there are requests.
class FcfsQueue {
 public:
  explicit FcfsQueue(uint32_t servers);
  // When the request that arrives then, and takes that long, is done.
  int64_t finish(int64_t arrival_ns, int64_t service_ns);

 private:
  uint32_t servers_;
  // When each server is free, the earliest on top; servers that never worked are not in it.
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> free_;
};

// A batch of n requests takes base + per * n.
struct BatchRule {
  uint32_t max = 32;     // requests in a batch
  int64_t delay_ns = 0;  // the oldest request waits at most this long for others to join
  int64_t base_ns = 0;
  int64_t per_ns = 0;
};

// A dynamically batching server: a free server starts a batch when `max` requests wait, or when the oldest
// has waited for `delay`.
class BatchQueue {
 public:
  BatchQueue(const BatchRule& rule, uint32_t servers);  // servers >= 1

  struct Batch {
    int64_t start_ns = 0;
    int64_t finish_ns = 0;
    uint32_t size = 0;  // the oldest waiting requests
  };
  // A batch that starts before an arrival does not have it, even if it is taken later.
  void arrive(int64_t arrival_ns);
  // When the next batch starts if nobody else arrives.
  std::optional<int64_t> next_start() const;
  // Starts that batch; there is one.
  Batch start();

 private:
  BatchRule rule_;
  uint32_t servers_;
  std::deque<int64_t> waiting_;  // arrivals
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> free_;
};

// A clock that stands still once, for a while: the time that a stalled server has for its work.
class StallClock {
 public:
  StallClock() = default;  // never stands still
  StallClock(int64_t from_ns, int64_t for_ns) : from_ns_(from_ns), for_ns_(for_ns) {}

  // The server's time at a time of the world.
  int64_t served(int64_t world_ns) const;
  // The first moment of the world when the server's time has got there; what is due as the clock stops waits
  // until it goes on.
  int64_t world(int64_t served_ns) const;

 private:
  int64_t from_ns_ = kForeverNs;
  int64_t for_ns_ = 0;
};

}  // namespace mlq::replay
