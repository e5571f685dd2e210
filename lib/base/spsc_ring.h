// A bounded queue between two threads: one puts, one takes, nobody waits.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace mlq {

// Holds up to `capacity` values (rounded up to a power of two). put() and full() belong to one thread,
// front() and pop() to another; size() may be called by both and is a moment's truth. What was put is seen
// whole by the taker. A popped place keeps a moved-from or default value until it is used again.
template <class T>
class SpscRing {
 public:
  explicit SpscRing(size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), places_(std::make_unique<T[]>(mask_ + 1)) {}

  bool full() const {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_acquire) > mask_;
  }
  // False, and `value` untouched, if the queue is full.
  bool put(T&& value) {
    if (full()) return false;
    const size_t tail = tail_.load(std::memory_order_relaxed);
    places_[tail & mask_] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // The oldest value, or null. Valid until pop().
  T* front() {
    const size_t head = head_.load(std::memory_order_relaxed);
    return head == tail_.load(std::memory_order_acquire) ? nullptr : &places_[head & mask_];
  }
  void pop() {
    const size_t head = head_.load(std::memory_order_relaxed);
    places_[head & mask_] = T{};
    head_.store(head + 1, std::memory_order_release);
  }

  size_t size() const {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_acquire);
  }

 private:
  const size_t mask_;
  const std::unique_ptr<T[]> places_;
  // A cache line each: the threads would fight over a common one.
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::atomic<size_t> tail_{0};
};

}  // namespace mlq
