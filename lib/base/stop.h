// A request to stop, made by a signal and looked at by the loops that do the work.
#pragma once

#include <atomic>

namespace mlq {

// Holds the number of the signal that asked to stop, or 0. Written by a signal handler or another thread,
// read anywhere; lock-free.
class StopFlag {
 public:
  void request(int signal) noexcept { signal_.store(signal, std::memory_order_relaxed); }
  int signal() const noexcept { return signal_.load(std::memory_order_relaxed); }
  explicit operator bool() const noexcept { return signal() != 0; }

 private:
  std::atomic<int> signal_{0};
  static_assert(std::atomic<int>::is_always_lock_free);
};

}  // namespace mlq
