#include "lib/serve/model/instance.h"

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/serve/model/row_pool.h"

namespace mlq::serve::model {

Instance::Instance(std::shared_ptr<Model> first, Make make, Done done)
    : model_(std::move(first)), make_(std::move(make)), done_(std::move(done)), thread_([this] { run(); }) {}

Instance::~Instance() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  give_up_.request(1);
  wake_.notify_one();
  thread_.join();
}

void Instance::start(std::shared_ptr<Work> work) {
  {
    const std::lock_guard lock(mutex_);
    next_ = std::move(work);
  }
  wake_.notify_one();
}

void Instance::run() {
  RowPool pool;
  try {
    if (!model_) model_ = make_();
  } catch (const Error&) {
    // Its batches will say why.
  }
  while (true) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return ended_ || next_; });
    if (ended_) return;
    const std::shared_ptr<Work> work = std::move(next_);
    next_ = nullptr;
    lock.unlock();
    answer(*work, pool);
    done_(work);
  }
}

void Instance::answer(Work& work, RowPool& pool) {
  const SteadyClock clock;
  const int64_t start_ns = clock.now_ns();
  try {
    if (!model_) model_ = make_();
    work.answer = model_->predict({work.values, work.rows}, work.conditions, pool, &give_up_);
  } catch (const Error& error) {
    work.answer.error = error.what();
  }
  work.latency_ns = clock.now_ns() - start_ns;
}

}  // namespace mlq::serve::model
