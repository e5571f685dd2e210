// The plan: requests in the order in which they are due, rendered before they are.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/spsc_ring.h"

namespace mlq::replay {

// Bytes of rendered requests. Shared by the requests whose text it holds, freed with the last of them.
class Arena {
 public:
  Arena(size_t capacity, std::atomic<size_t>& held)
      : text_(std::make_unique<char[]>(capacity)), capacity_(capacity), held_(held) {
    held_ += capacity_;
  }
  ~Arena() { held_ -= capacity_; }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  size_t room() const { return capacity_ - size_; }
  // A copy of `text`, which fits; valid as long as the arena.
  std::string_view keep(std::string_view text);

 private:
  std::unique_ptr<char[]> text_;
  size_t capacity_;
  size_t size_ = 0;
  std::atomic<size_t>& held_;
};

// One request of the plan. The views are into the arena.
struct Planned {
  uint64_t i = 0;
  int64_t t_ns = 0;    // in the trace
  int64_t due_ns = 0;  // from the start, on the wall
  std::string_view method;
  std::string_view target;
  std::string_view body;
  std::optional<std::string> klass;
  std::optional<std::string> conversation;
  std::optional<uint64_t> key;
  std::optional<uint32_t> episode;
  std::optional<int64_t> deadline_ns;
  std::shared_ptr<const Arena> arena;
};

// Where a sending thread takes its requests from.
class PlanSource {
 public:
  virtual ~PlanSource() = default;
  // The next request, or null: none is there yet, or none will come. Valid until pop().
  virtual Planned* next() = 0;
  virtual void pop() = 0;
  // No request will come after those that next() gives. Asked before next(), it is never wrong.
  virtual bool ended() const = 0;
  // The last due time of the plan, once it has ended.
  virtual int64_t last_due_ns() const = 0;
};

// The queue from the reader to a sending thread.
class PlanRing final : public PlanSource {
 public:
  static constexpr size_t kCapacity = 65'536;

  // Of the reader.
  bool put(Planned&& planned) { return ring_.put(std::move(planned)); }
  bool full() const { return ring_.full(); }
  void end(int64_t last_due_ns) {
    last_due_ns_ = last_due_ns;
    ended_.store(true, std::memory_order_release);
  }

  // Of the sender.
  Planned* next() override { return ring_.front(); }
  void pop() override { ring_.pop(); }
  bool ended() const override { return ended_.load(std::memory_order_acquire); }
  int64_t last_due_ns() const override { return last_due_ns_; }

 private:
  SpscRing<Planned> ring_{kCapacity};
  int64_t last_due_ns_ = 0;  // written before ended_
  std::atomic<bool> ended_{false};
};

}  // namespace mlq::replay
