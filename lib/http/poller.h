// Waiting for sockets until an instant, to the nanosecond.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "lib/base/clock.h"

namespace mlq::http {

// An epoll instance with a deadline. Not thread-safe. Throws environment Errors.
class Poller {
 public:
  explicit Poller(const Clock& clock);
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // `events` as of epoll_ctl; 0 takes the socket out.
  void watch(int fd, uint32_t events, bool known);
  // Waits until something can be done or the clock reads `until_ns`. Empty at the deadline, and when a signal
  // came. Valid until the next call.
  std::span<const epoll_event> wait(int64_t until_ns);
  bool has_pwait2() const { return pwait2_; }
  int fd() const { return epoll_; }  // can be read when a wait() would not be empty

 private:
  int wait_by_timer(int64_t left_ns);

  const Clock& clock_;
  int epoll_ = -1;
  int timer_ = -1;  // of the kernels without epoll_pwait2
  bool pwait2_ = true;
  std::array<epoll_event, 256> events_;
};

}  // namespace mlq::http
