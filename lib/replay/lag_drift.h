// Whether the sender's schedule slips: the slope of the least lag of blocks of requests against time. Noise
// only ever delays a send, so the least lag of many is what the schedule itself does.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace mlq::replay {

// Bounded memory: at most 256 blocks, which double in length as the run goes on. Not thread-safe.
class LagDrift {
 public:
  // Requests in the order in which they are sent.
  void add(int64_t due_ns, int64_t lag_ns);
  // Least squares over the whole blocks; absent with fewer than 8 of them.
  std::optional<double> ns_per_min() const;

 private:
  struct Block {
    int64_t due_ns, lag_ns;  // of the request with the least lag
  };
  void fold();

  std::vector<Block> blocks_;
  Block current_{};
  uint64_t in_current_ = 0;
  uint64_t block_size_ = 64;
};

}  // namespace mlq::replay
