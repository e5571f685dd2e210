#include "lib/replay/null_queue.h"

#include <algorithm>

namespace mlq::replay {
namespace {

using FreeTimes = std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>>;

int64_t later(int64_t at_ns, int64_t by_ns) {
  return at_ns >= kForeverNs - by_ns ? kForeverNs : at_ns + by_ns;
}

// Takes the server that is free first and returns since when it is; INT64_MIN if one never worked.
int64_t take_server(FreeTimes& free, uint32_t servers) {
  if (free.size() < servers) return INT64_MIN;
  const int64_t at_ns = free.top();
  free.pop();
  return at_ns;
}

}  // namespace

FcfsQueue::FcfsQueue(uint32_t servers) : servers_(servers) {}

int64_t FcfsQueue::finish(int64_t arrival_ns, int64_t service_ns) {
  if (servers_ == 0) return later(arrival_ns, service_ns);
  const int64_t finish_ns = later(std::max(arrival_ns, take_server(free_, servers_)), service_ns);
  free_.push(finish_ns);
  return finish_ns;
}

BatchQueue::BatchQueue(const BatchRule& rule, uint32_t servers) : rule_(rule), servers_(servers) {}

void BatchQueue::arrive(int64_t arrival_ns) { waiting_.push_back(arrival_ns); }

std::optional<int64_t> BatchQueue::next_start() const {
  if (waiting_.empty()) return std::nullopt;
  int64_t ready_ns = later(waiting_.front(), rule_.delay_ns);
  if (waiting_.size() >= rule_.max) ready_ns = std::min(ready_ns, waiting_[rule_.max - 1]);
  return free_.size() < servers_ ? ready_ns : std::max(ready_ns, free_.top());
}

BatchQueue::Batch BatchQueue::start() {
  Batch batch;
  batch.start_ns = *next_start();
  while (batch.size < rule_.max && !waiting_.empty() && waiting_.front() <= batch.start_ns) {
    waiting_.pop_front();
    ++batch.size;
  }
  take_server(free_, servers_);
  batch.finish_ns = later(later(batch.start_ns, rule_.base_ns), batch.size * rule_.per_ns);
  free_.push(batch.finish_ns);
  return batch;
}

int64_t StallClock::served(int64_t world_ns) const {
  if (world_ns < from_ns_) return world_ns;
  return world_ns < later(from_ns_, for_ns_) ? from_ns_ : world_ns - for_ns_;
}

int64_t StallClock::world(int64_t served_ns) const {
  return served_ns < from_ns_ ? served_ns : later(served_ns, for_ns_);
}

}  // namespace mlq::replay
