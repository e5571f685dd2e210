// For calls that may wait for other ranks for ever and cannot be made to give up.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "lib/base/error.h"

namespace mlq::ranks {

// Called on a thread of its own: says the environment Error, and ends the process.
using Late = std::function<void(const Error&)>;

// Calls `late`, if there is one, when it lives for longer.
class Deadline {
 public:
  Deadline(int64_t timeout_ns, const Late& late, const Error& error) {
    if (!late) return;
    thread_ = std::thread([this, timeout_ns, &late, error] {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [&] { return over_; })) late(error);
    });
  }
  ~Deadline() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace mlq::ranks
