// Stands in for libnccl.so.2 where there is no GPU: what lib/ranks/nccl_ranks.cpp calls, for threads and
// processes of one machine whose device memory is the host's (tests/kernels/emulation). Bytes go through
// shared memory. As of NCCL, calls return at once and are done in their order; unlike there a communicator
// says that it is busy until all are done, since no stream knows of them.
//
// MLQ_STANDIN_NCCL_FAILS=N: the communicator breaks down in its operation N, counted from 0.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace {

enum Result : int { kSuccess = 0, kSystemError = 2, kInvalidArgument = 4, kRemoteError = 6, kInProgress = 7 };

constexpr int kMostRanks = 8;
constexpr size_t kSlot = 1 << 16;

// In shared memory, which begins as zeros.
struct Segment {
  std::atomic<uint32_t> joined, given_up;
  std::atomic<uint64_t> arrived;  // at meetings, of all ranks
  std::byte slots[kMostRanks][kSlot];
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

struct Id {
  std::array<char, 128> name;
};

struct Stopped {};

class Comm {
 public:
  Comm(int ranks, const Id& id, int rank) : ranks_(ranks), rank_(rank) {
    const int file = ::shm_open(id.name.data(), O_RDWR, 0600);
    void* const memory = ::mmap(nullptr, sizeof(Segment), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    segment_ = static_cast<Segment*>(memory);
    const char* const fails = std::getenv("MLQ_STANDIN_NCCL_FAILS");
    fails_at_ = fails == nullptr ? -1 : std::atol(fails);
    worker_ = std::thread([this] { work(); });
    submit([this, name = id.name] {
      if (++segment_->joined == static_cast<uint32_t>(ranks_)) ::shm_unlink(name.data());
      meet();
    });
  }
  ~Comm() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    stop_ = true;
    changed_.notify_all();
    worker_.join();
    ::munmap(segment_, sizeof(Segment));
  }

  void submit(std::function<void()> operation) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(operation));
    changed_.notify_all();
  }
  Result state() {
    const std::lock_guard lock(mutex_);
    if (failed_) return kRemoteError;
    return queue_.empty() ? kSuccess : kInProgress;
  }

  void broadcast(const void* from, void* to, size_t bytes, int root) {
    for (size_t at = 0; at < bytes; at += kSlot) {
      const size_t count = std::min(kSlot, bytes - at);
      if (rank_ == root) std::memcpy(segment_->slots[root], static_cast<const std::byte*>(from) + at, count);
      meet();
      std::memcpy(static_cast<std::byte*>(to) + at, segment_->slots[root], count);
      meet();
    }
  }
  void all_gather(const void* from, void* to, size_t bytes) {
    for (int root = 0; root < ranks_; ++root)
      broadcast(from, static_cast<std::byte*>(to) + static_cast<size_t>(root) * bytes, bytes, root);
  }

 private:
  // Until all ranks are here as often as this one.
  void meet() {
    const uint64_t complete = ++meetings_ * static_cast<uint64_t>(ranks_);
    ++segment_->arrived;
    while (segment_->arrived < complete) {
      if (stop_) throw Stopped{};
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }
  void work() {
    std::unique_lock lock(mutex_);
    for (long done = -1;; ++done) {  // the first is the beginning
      changed_.wait(lock, [&] { return ended_ || (!queue_.empty() && !failed_); });
      if (ended_) return;
      if (done == fails_at_ && fails_at_ >= 0) {
        failed_ = true;
        continue;
      }
      const auto operation = queue_.front();
      lock.unlock();
      try {
        operation();
      } catch (const Stopped&) {
      }
      lock.lock();
      queue_.pop_front();
    }
  }

  int ranks_, rank_;
  Segment* segment_ = nullptr;
  long fails_at_ = -1;
  uint64_t meetings_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool ended_ = false, failed_ = false;
  std::thread worker_;
};

}  // namespace

extern "C" {

#define STANDIN __attribute__((visibility("default")))

STANDIN int ncclGetVersion(int* version) {
  *version = 22000;
  return kSuccess;
}

STANDIN int ncclGetUniqueId(Id* id) {
  static std::atomic<unsigned> made = 0;
  *id = {};
  std::snprintf(id->name.data(), id->name.size(), "/mlq-standin-nccl-%d-%u", ::getpid(), made++);
  const int file = ::shm_open(id->name.data(), O_RDWR | O_CREAT | O_EXCL, 0600);
  const bool made_room = file >= 0 && ::ftruncate(file, sizeof(Segment)) == 0;
  ::close(file);
  return made_room ? kSuccess : kSystemError;
}

struct Config {
  size_t size;
  unsigned magic, version;
  int blocking;
};

STANDIN int ncclCommInitRankConfig(void** comm, int ranks, Id id, int rank, const Config* config) {
  if (config->size < sizeof(Config) || config->magic != 0xcafebeef || config->blocking != 0 ||
      ranks > kMostRanks)
    return kInvalidArgument;
  *comm = new Comm(ranks, id, rank);
  return kInProgress;
}

STANDIN int ncclCommGetAsyncError(void* comm, int* state) {
  *state = static_cast<Comm*>(comm)->state();
  return kSuccess;
}

STANDIN int ncclGroupStart() { return kSuccess; }
STANDIN int ncclGroupEnd() { return kSuccess; }

STANDIN int ncclAllGather(const void* from, void* to, size_t count, int type, void* comm, void*) {
  if (type != 1) return kInvalidArgument;
  auto* const c = static_cast<Comm*>(comm);
  c->submit([=] { c->all_gather(from, to, count); });
  return kInProgress;
}

STANDIN int ncclBroadcast(const void* from, void* to, size_t count, int type, int root, void* comm, void*) {
  if (type != 1) return kInvalidArgument;
  auto* const c = static_cast<Comm*>(comm);
  c->submit([=] { c->broadcast(from, to, count, root); });
  return kInProgress;
}

STANDIN int ncclCommAbort(void* comm) {
  delete static_cast<Comm*>(comm);
  return kSuccess;
}

STANDIN const char* ncclGetErrorString(int result) {
  return result == kRemoteError ? "remote process exited or there was a network error" : "an error";
}
STANDIN const char* ncclGetLastError(void*) { return "the stand-in was told to fail"; }

}  // extern "C"
