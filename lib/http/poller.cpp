#include "lib/http/poller.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/base/error.h"

namespace mlq::http {
namespace {

constexpr int64_t kNsPerS = 1'000'000'000;

timespec timespec_of(int64_t ns) {
  return {.tv_sec = static_cast<time_t>(ns / kNsPerS), .tv_nsec = static_cast<long>(ns % kNsPerS)};
}

Error failure(const char* what) { return environment_error("{}: {}", what, std::strerror(errno)); }

}  // namespace

Poller::Poller(const Clock& clock) : clock_(clock), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw failure("epoll");
  const timespec none{};
  if (::epoll_pwait2(epoll_, events_.data(), 1, &none, nullptr) >= 0) return;
  pwait2_ = false;
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer_ < 0) throw failure("timerfd");
  watch(timer_, EPOLLIN, false);
}

Poller::~Poller() {
  if (timer_ >= 0) ::close(timer_);
  ::close(epoll_);
}

void Poller::watch(int fd, uint32_t events, bool known) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  const int what = events == 0 ? EPOLL_CTL_DEL : known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_, what, fd, &event) == 0 || events == 0) return;
  throw failure("epoll");
}

int Poller::wait_by_timer(int64_t left_ns) {
  const itimerspec when{.it_interval = {}, .it_value = timespec_of(std::max<int64_t>(left_ns, 1))};
  if (left_ns > 0) ::timerfd_settime(timer_, 0, &when, nullptr);
  const int ready =
      ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), left_ns > 0 ? -1 : 0);
  const auto end = events_.begin() + std::max(ready, 0);
  const auto timer =
      std::find_if(events_.begin(), end, [&](const epoll_event& e) { return e.data.fd == timer_; });
  if (timer == end) return ready;
  uint64_t expirations = 0;
  if (::read(timer_, &expirations, sizeof expirations) < 0 && errno != EAGAIN) throw failure("timerfd");
  std::copy(timer + 1, end, timer);
  return ready - 1;
}

std::span<const epoll_event> Poller::wait(int64_t until_ns) {
  const int64_t left = std::max<int64_t>(until_ns - clock_.now_ns(), 0);
  int ready = 0;
  if (pwait2_) {
    const timespec timeout = timespec_of(left);
    ready = ::epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
  } else {
    ready = wait_by_timer(left);
  }
  if (ready < 0 && errno != EINTR) throw failure("epoll");
  return {events_.data(), static_cast<size_t>(std::max(ready, 0))};
}

}  // namespace mlq::http
