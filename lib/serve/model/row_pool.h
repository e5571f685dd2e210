// Threads that share out the rows of one batch.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace mlq::serve::model {

// Belongs to one caller at a time; its threads sleep between the calls. It has as many threads as the largest
// call asked for, less the caller's own.
class RowPool {
 public:
  RowPool() = default;
  ~RowPool();
  RowPool(const RowPool&) = delete;
  RowPool& operator=(const RowPool&) = delete;

  // Calls work(begin, end) for at most `threads` equal shares of `count` rows, one of them on the caller's
  // thread, and returns when all are done. `work` may not throw. One thread does with no others awake.
  void run(size_t count, size_t threads, const std::function<void(size_t, size_t)>& work);

 private:
  void serve(size_t number);

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(size_t, size_t)>* work_ = nullptr;
  size_t count_ = 0;
  size_t shares_ = 0;
  size_t left_ = 0;   // shares of other threads that are not done
  size_t round_ = 0;  // calls of run() so far
  bool ended_ = false;
};

}  // namespace mlq::serve::model
