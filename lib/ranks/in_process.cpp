#include "lib/ranks/in_process.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>

#include "lib/base/error.h"

namespace mlq::ranks {
namespace {

// Where the ranks of a call meet: each leaves where its bytes lie, and none goes on before all have taken
// what they need.
class Meeting {
 public:
  Meeting(unsigned size, int64_t timeout_ns) : timeout_(timeout_ns), given_(size) {}

  unsigned size() const { return static_cast<unsigned>(given_.size()); }

  // `take` sees what all ranks gave.
  template <class Take>
  void meet(unsigned rank, std::span<const std::byte> bytes, const Take& take) {
    std::unique_lock lock(mutex_);
    given_[rank] = bytes;
    arrive(lock);
    lock.unlock();
    take(given_);
    lock.lock();
    leave_together(lock);
  }

  void leave() {
    const std::lock_guard lock(mutex_);
    lost_ = true;
    changed_.notify_all();
  }

 private:
  struct Gate {
    unsigned count = 0;
    uint64_t opened = 0;
  };

  // True if this one opened it.
  bool opens(Gate& gate) {
    if (++gate.count < size()) return false;
    gate.count = 0;
    ++gate.opened;
    changed_.notify_all();
    return true;
  }

  void arrive(std::unique_lock<std::mutex>& lock) {
    const uint64_t before = arrived_.opened;
    if (!lost_ && opens(arrived_)) return;
    const bool seen = changed_.wait_for(lock, std::chrono::nanoseconds(timeout_),
                                        [&] { return arrived_.opened != before || lost_; });
    if (arrived_.opened != before) return;
    lost_ = true;
    changed_.notify_all();
    if (seen) throw environment_error("a rank is gone; start the ranks again");
    throw environment_error("a rank did not come within {} s; start the ranks again, or give them longer",
                            static_cast<double>(timeout_) / 1e9);
  }

  // Without a timeout: all are here, and what they give must stay until all have it.
  void leave_together(std::unique_lock<std::mutex>& lock) {
    const uint64_t before = left_.opened;
    if (!opens(left_)) changed_.wait(lock, [&] { return left_.opened != before; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t timeout_;
  std::vector<std::span<const std::byte>> given_;
  Gate arrived_, left_;
  bool lost_ = false;
};

class InProcess final : public Comm {
 public:
  InProcess(std::shared_ptr<Meeting> meeting, unsigned rank) : meeting_(std::move(meeting)), rank_(rank) {}
  ~InProcess() override { meeting_->leave(); }

  unsigned rank() const override { return rank_; }
  unsigned size() const override { return meeting_->size(); }
  std::string_view transport() const override { return "in process"; }

  void start(std::span<const std::byte> mine, std::byte* all, uint64_t stride) override {
    bool alike = true;
    meeting_->meet(rank_, mine, [&](const auto& given) {
      alike = std::all_of(given.begin(), given.end(), [&](auto g) { return g.size() == mine.size(); });
      for (size_t r = 0; alike && r < given.size(); ++r)
        if (!mine.empty()) std::memcpy(all + r * stride, given[r].data(), mine.size());
    });
    if (!alike) throw environment_error("ranks sent different numbers of bytes; start them anew");
  }
  void progress() override {}
  void finish() override {}
  void barrier() override {
    meeting_->meet(rank_, {}, [](const auto&) {});
  }

 private:
  std::shared_ptr<Meeting> meeting_;
  unsigned rank_;
};

}  // namespace

std::vector<std::unique_ptr<Comm>> in_process_ranks(unsigned size, int64_t timeout_ns) {
  const auto meeting = std::make_shared<Meeting>(size, timeout_ns);
  std::vector<std::unique_ptr<Comm>> ranks;
  for (unsigned rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<InProcess>(meeting, rank));
  return ranks;
}

}  // namespace mlq::ranks
