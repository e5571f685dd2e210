#include "lib/http/loop.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <limits>

#include "lib/base/error.h"
#include "lib/http/reactor.h"

namespace mlq::http {
namespace {

constexpr int64_t kWatchNs = 20'000'000;  // how often the stop flag is looked at
constexpr int64_t kStopGraceNs = 5'000'000'000;
constexpr int64_t kForeverNs = std::numeric_limits<int64_t>::max();
// How many sockets have their turn before those watched first are looked at again.
constexpr size_t kBetweenFirst = 8;
constexpr uint32_t kReading = EPOLLIN | EPOLLRDHUP | EPOLLET;

int64_t clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Loop::Loop() : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (wake_ < 0) throw environment_error("eventfd: {}", std::strerror(errno));
  poller_.watch(wake_, EPOLLIN, false);
  poller_.watch(first_.fd(), EPOLLIN, false);
}

Loop::~Loop() { ::close(wake_); }

void Loop::run(const StopFlag* stop) {
  thread_ = std::this_thread::get_id();
  if (stop != nullptr) watch_flag(*stop);
  while (!ended_) turn();
}

void Loop::turn() {
  const bool at_once = has_posted_.load(std::memory_order_acquire);
  const int64_t until = at_once ? 0 : timers_.empty() ? kForeverNs : timers_.front().at_ns;
  const std::span<const epoll_event> events = poller_.wait(until);
  const auto is_first = [&](const epoll_event& event) { return event.data.fd == first_.fd(); };
  if (std::ranges::any_of(events, is_first)) tell_first();
  for (size_t k = 0; k < events.size(); ++k) {
    if (k % kBetweenFirst == kBetweenFirst - 1) tell_first();
    if (events[k].data.fd == wake_) {
      uint64_t count = 0;
      while (::read(wake_, &count, sizeof count) > 0) continue;
    } else {
      tell(events[k]);
    }
  }
  run_due();
  if (has_posted_.load(std::memory_order_acquire)) run_posted();
}

void Loop::tell(const epoll_event& event) {
  const auto fd = static_cast<size_t>(event.data.fd);
  if (fd < watched_.size() && watched_[fd].watcher != nullptr) watched_[fd].watcher->on_ready(event.events);
}

void Loop::tell_first() {
  for (const epoll_event& event : first_.wait(0)) tell(event);
}

// Timers that are set on the way and due wait for the next turn, so that sockets have theirs.
void Loop::run_due() {
  if (timers_.empty()) return;
  const int64_t now = clock_now();
  const uint64_t set = timers_set_;
  while (!timers_.empty() && timers_.front().at_ns <= now && timers_.front().order < set) {
    std::pop_heap(timers_.begin(), timers_.end());
    const std::function<void()> run = std::move(timers_.back().run);
    timers_.pop_back();
    run();
  }
}

void Loop::run_posted() {
  {
    const std::lock_guard lock(mutex_);
    running_.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (const std::function<void()>& run : running_) run();
  running_.clear();
}

void Loop::call_at(int64_t at_ns, std::function<void()> run) {
  timers_.push_back({at_ns, timers_set_++, std::move(run)});
  std::push_heap(timers_.begin(), timers_.end());
}

void Loop::post(std::function<void()> run) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(run));
    if (has_posted_.exchange(true, std::memory_order_release)) return;
  }
  if (thread_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return;
  const uint64_t one = 1;
  while (::write(wake_, &one, sizeof one) < 0 && errno == EINTR) continue;
}

void Loop::watch_flag(const StopFlag& stop) {
  if (stop) return begin_stop(kStopGraceNs);
  call_at(clock_now() + kWatchNs, [this, &stop] { watch_flag(stop); });
}

void Loop::begin_stop(int64_t grace_ns) {
  const auto parts = parts_;
  if (!std::exchange(stopping_, true))
    for (Part* part : parts) part->begin_stop();
  const int64_t now = clock_now();
  call_at(now + std::clamp<int64_t>(grace_ns, 0, kForeverNs - now), [this] {
    const auto left = parts_;
    for (Part* part : left) part->end_now();
    ended_ = true;
  });
  end_if_done();
}

void Loop::end_if_done() {
  ended_ =
      ended_ || (stopping_ && std::none_of(parts_.begin(), parts_.end(), [](Part* p) { return p->busy(); }));
}

void Loop::add(Part& part) { parts_.push_back(&part); }

void Loop::remove(Part& part) { std::erase(parts_, &part); }

void Loop::watch(int fd, Watcher& watcher, bool writing, bool first) {
  const auto at = static_cast<size_t>(fd);
  if (at >= watched_.size()) watched_.resize(std::max(at + 1, 2 * watched_.size()));
  (first ? first_ : poller_).watch(fd, writing ? kReading | EPOLLOUT : kReading, false);
  watched_[at] = {&watcher, first};
}

void Loop::watch_writing(int fd) {
  (watched_[static_cast<size_t>(fd)].first ? first_ : poller_).watch(fd, kReading | EPOLLOUT, true);
}

void Loop::unwatch(int fd) {
  if (static_cast<size_t>(fd) < watched_.size()) watched_[static_cast<size_t>(fd)] = {};
}

const std::string& Loop::date_line() {
  const int64_t now = clock_now();
  if (now < date_until_ns_) return date_line_;
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  tm utc{};
  gmtime_r(&wall.tv_sec, &utc);
  date_line_ = fmt::format("Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n", kDays[utc.tm_wday], utc.tm_mday,
                           kMonths[utc.tm_mon], 1900 + utc.tm_year, utc.tm_hour, utc.tm_min, utc.tm_sec);
  date_until_ns_ = now + 1'000'000'000 - wall.tv_nsec;
  return date_line_;
}

// Reactor -------------------------------------------------------------------------------------------------

Reactor::Reactor() : loop_(std::make_unique<Loop>()) {}
Reactor::~Reactor() = default;
void Reactor::run(const StopFlag* stop) { loop_->run(stop); }
void Reactor::stop(int64_t grace_ns) {
  loop_->post([this, grace_ns] { loop_->begin_stop(grace_ns); });
}
void Reactor::call_at(int64_t at_ns, std::function<void()> run) { loop_->call_at(at_ns, std::move(run)); }
void Reactor::post(std::function<void()> run) { loop_->post(std::move(run)); }
int64_t Reactor::now_ns() { return clock_now(); }

}  // namespace mlq::http
