#include "lib/quant/schedule.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <thread>

#include "lib/quant/device_coder.h"

namespace mlq::quant {
namespace {

// One piece that a worker has taken.
struct Item {
  size_t work = 0;
  unsigned pass = 0;
  size_t piece = 0;
};

// Gives out the pieces. A pass begins when the one before it is done; a work's end() is called in the order
// of works.
class Dispatcher {
 public:
  Dispatcher(std::span<const std::unique_ptr<Work>> works, const StopFlag* stop)
      : works_(works), stop_(stop), left_(works.size(), 0), done_(works.size(), false) {}

  std::optional<Item> take() {
    std::unique_lock lock(mutex_);
    while (!failure_ && !(stop_ != nullptr && *stop_) && next_.work < works_.size()) {
      Work& work = *works_[next_.work];
      size_t& left = left_[next_.work];
      if (!begun_) {
        work.begin();
        left = work.pieces();
        begun_ = true;
      }
      if (next_.piece < work.pieces()) return Item{next_.work, next_.pass, next_.piece++};
      if (next_.pass + 1 == work.passes()) {  // the last: what is under way needs no waiting for
        next_ = {next_.work + 1, 0, 0};
        begun_ = false;
      } else if (left > 0) {
        changed_.wait(lock);
      } else {
        left = work.pieces();
        next_ = {next_.work, next_.pass + 1, 0};
      }
    }
    return std::nullopt;
  }

  void finished(const Item& item) {
    const std::lock_guard lock(mutex_);
    if (--left_[item.work] > 0) return;
    Work& work = *works_[item.work];
    work.end_pass(item.pass);
    if (item.pass + 1 >= work.passes()) done_[item.work] = true;
    while (ended_ < works_.size() && done_[ended_]) works_[ended_++]->end();
    changed_.notify_all();
  }

  // True for the first.
  bool fail(std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
    if (failure_) return false;
    failure_ = std::move(failure);
    return true;
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }
  bool complete() const { return ended_ == works_.size(); }

 private:
  std::span<const std::unique_ptr<Work>> works_;
  const StopFlag* stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Item next_;
  bool begun_ = false;        // the work that next_ is in
  std::vector<size_t> left_;  // pieces of the current pass that are not done, by work
  std::vector<bool> done_;
  size_t ended_ = 0;
  std::exception_ptr failure_;
};

void work_off(Dispatcher& dispatcher, std::span<const std::unique_ptr<Work>> works,
              const ScheduleOptions& options, std::counting_semaphore<>& computing) {
  Worker worker;
  worker.computing = &computing;
  try {
    if (options.device) worker.device = std::make_unique<DeviceCoder>(*options.device);
    while (const std::optional<Item> item = dispatcher.take()) {
      works[item->work]->run(item->pass, item->piece, worker);
      dispatcher.finished(*item);
    }
  } catch (const Turnstile::Aborted&) {
    // Who aborted it has said why.
  } catch (...) {
    if (dispatcher.fail(std::current_exception()) && options.on_failure) options.on_failure();
  }
}

}  // namespace

Worker::Worker() = default;
Worker::~Worker() = default;

bool run_schedule(std::span<const std::unique_ptr<Work>> works, const ScheduleOptions& options) {
  Dispatcher dispatcher(works, options.stop);
  std::counting_semaphore<> computing(std::max(1U, options.compute_threads));
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < std::max(1U, options.workers); ++i)
      threads.emplace_back([&] { work_off(dispatcher, works, options, computing); });
  }
  dispatcher.rethrow();
  return dispatcher.complete();
}

void Turnstile::wait_for(uint64_t number) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return aborted_ || next_ == number; });
  if (aborted_) throw Aborted();
}

void Turnstile::pass() {
  const std::lock_guard lock(mutex_);
  ++next_;
  changed_.notify_all();
}

void Turnstile::abort() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  changed_.notify_all();
}

}  // namespace mlq::quant
