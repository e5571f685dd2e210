// Time limits of requests in flight, in constant time: one list for each limit, since all its members wait
// equally long, and so the first to begin is the first to end.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace mlq::replay {

// Members are slots of requests in flight. Not thread-safe.
class DeadlineList {
 public:
  // Without a limit, nothing ever ends.
  explicit DeadlineList(std::optional<int64_t> limit_ns) : limit_ns_(limit_ns) {}

  // The wait of `slot` begins, or begins anew; times must not go back.
  void begin(uint32_t slot, int64_t now_ns) {
    if (!limit_ns_) return;
    remove(slot);
    if (slot >= nodes_.size()) nodes_.resize(slot + 1);
    nodes_[slot] = {.previous = last_, .next = kNone, .since_ns = now_ns, .in = true};
    (last_ == kNone ? first_ : nodes_[last_].next) = slot;
    last_ = slot;
  }
  void remove(uint32_t slot) {
    if (slot >= nodes_.size() || !nodes_[slot].in) return;
    const Node& node = nodes_[slot];
    (node.previous == kNone ? first_ : nodes_[node.previous].next) = node.next;
    (node.next == kNone ? last_ : nodes_[node.next].previous) = node.previous;
    nodes_[slot].in = false;
  }
  // A slot whose time is over, if there is one.
  std::optional<uint32_t> expired(int64_t now_ns) const {
    if (first_ == kNone || next_ns() > now_ns) return std::nullopt;
    return first_;
  }
  // When that will be so.
  int64_t next_ns() const {
    return first_ == kNone ? std::numeric_limits<int64_t>::max() : nodes_[first_].since_ns + *limit_ns_;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Node {
    uint32_t previous = kNone, next = kNone;
    int64_t since_ns = 0;
    bool in = false;
  };
  std::optional<int64_t> limit_ns_;
  std::vector<Node> nodes_;
  uint32_t first_ = kNone;
  uint32_t last_ = kNone;
};

}  // namespace mlq::replay
