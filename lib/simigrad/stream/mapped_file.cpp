#include "lib/simigrad/stream/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include "lib/base/error.h"

namespace mlq::simigrad {

// A range that the handler looks after. Never freed, but used again: the handler may be walking over it.
struct MappedFile::Watch {
  std::atomic<uintptr_t> begin{0}, end{0};  // 0 while it is free
  std::atomic<bool> failed{false};
  Watch* next = nullptr;

  static std::atomic<Watch*>& first() {
    static std::atomic<Watch*> head{nullptr};
    return head;
  }
  static Watch* take(uintptr_t begin, uintptr_t end);
  static void install();
  static void on_bus_error(int signal, siginfo_t* info, void* context);
};

namespace {

static_assert(std::atomic<uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

struct sigaction previous {};
uintptr_t page_bytes = 4096;
constexpr size_t kPagesLookedAt = 64;

}  // namespace

// Puts zeros where the rest of the range should be; the instruction is then repeated. Calls that are safe in
// a handler only.
void MappedFile::Watch::on_bus_error(int signal, siginfo_t* info, void* context) {
  const auto at = reinterpret_cast<uintptr_t>(info->si_addr);
  for (Watch* watch = first().load(std::memory_order_acquire); watch != nullptr; watch = watch->next) {
    const uintptr_t begin = watch->begin.load(std::memory_order_acquire);
    const uintptr_t end = watch->end.load(std::memory_order_acquire);
    if (begin == 0 || at < begin || at >= end) continue;
    watch->failed.store(true, std::memory_order_release);
    const uintptr_t page = at / page_bytes * page_bytes;
    const int saved = errno;
    void* zeros = ::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    errno = saved;
    if (zeros != MAP_FAILED) return;
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr)
    return previous.sa_sigaction(signal, info, context);
  ::sigaction(SIGBUS, &previous, nullptr);  // the instruction is repeated, and ends as it would have
}

void MappedFile::Watch::install() {
  static std::once_flag once;
  std::call_once(once, [] {
    page_bytes = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    struct sigaction action {};
    action.sa_sigaction = &on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &previous);
  });
}

MappedFile::Watch* MappedFile::Watch::take(uintptr_t begin, uintptr_t end) {
  static std::mutex taking;
  const std::lock_guard lock(taking);
  Watch* watch = first().load();
  while (watch != nullptr && watch->begin.load() != 0) watch = watch->next;
  if (watch == nullptr) {
    watch = new Watch;
    watch->next = first().load();
    first().store(watch, std::memory_order_release);
  }
  watch->failed.store(false);
  watch->end.store(end);
  watch->begin.store(begin, std::memory_order_release);
  return watch;
}

MappedFile::MappedFile(int fd, uint64_t size, std::string name) : size_(size) {
  if (size == 0) return;
  Watch::install();
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) throw environment_error("{}: cannot be mapped: {}", name, std::strerror(errno));
  data_ = static_cast<std::byte*>(at);
  ::madvise(at, size, MADV_SEQUENTIAL);
  const auto begin = reinterpret_cast<uintptr_t>(at);
  watch_ = Watch::take(begin, (begin + size + page_bytes - 1) / page_bytes * page_bytes);
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  const uintptr_t end = watch_->end.load();
  watch_->begin.store(0);
  ::munmap(data_, end - reinterpret_cast<uintptr_t>(data_));
}

bool MappedFile::good() const { return watch_ == nullptr || !watch_->failed.load(std::memory_order_acquire); }

void MappedFile::will_need(uint64_t offset, uint64_t size) const {
  if (offset >= size_) return;
  const uint64_t begin = offset / page_bytes * page_bytes, end = offset + std::min(size, size_ - offset);
  ::madvise(data_ + begin, end - begin, MADV_WILLNEED);
}

double MappedFile::cached_share() const {
  if (data_ == nullptr) return 1;
  const uint64_t pages = (size_ + page_bytes - 1) / page_bytes,
                 looked = std::min<uint64_t>(pages, kPagesLookedAt);
  size_t cached = 0;
  for (uint64_t i = 0; i < looked; ++i) {
    unsigned char resident = 0;
    ::mincore(data_ + pages * i / looked * page_bytes, page_bytes, &resident);
    cached += resident & 1U;
  }
  return static_cast<double>(cached) / static_cast<double>(looked);
}

}  // namespace mlq::simigrad
