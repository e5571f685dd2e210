#include "lib/serve/model/row_pool.h"

#include <algorithm>

namespace mlq::serve::model {

RowPool::~RowPool() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void RowPool::run(size_t count, size_t threads, const std::function<void(size_t, size_t)>& work) {
  const size_t shares = std::clamp<size_t>(count, 1, std::max<size_t>(threads, 1));
  if (shares == 1) return work(0, count);
  {
    const std::lock_guard lock(mutex_);
    while (threads_.size() + 1 < shares) {
      const size_t number = threads_.size() + 1;
      threads_.emplace_back([this, number] { serve(number); });
    }
    work_ = &work;
    count_ = count;
    shares_ = shares;
    left_ = shares - 1;
    ++round_;
  }
  wake_.notify_all();
  work(0, count / shares);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return left_ == 0; });
}

// Thread `number` does share `number`; the caller's is 0.
void RowPool::serve(size_t number) {
  std::unique_lock lock(mutex_);
  // A thread is made within the call that first needs it, whose round it has yet to do.
  for (size_t seen = round_ - 1;;) {
    wake_.wait(lock, [&] { return ended_ || round_ != seen; });
    if (ended_) return;
    seen = round_;
    if (number >= shares_) continue;
    const size_t begin = count_ * number / shares_;
    const size_t end = count_ * (number + 1) / shares_;
    const auto& work = *work_;
    lock.unlock();
    work(begin, end);
    lock.lock();
    if (--left_ == 0) done_.notify_one();
  }
}

}  // namespace mlq::serve::model
