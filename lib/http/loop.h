// What stands behind a Reactor: epoll, timers, posts, and the end. Internal to lib/http.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/stop.h"
#include "lib/http/poller.h"

namespace mlq::http {

class Watcher {
 public:
  // `events` of epoll. They are reported once (edge-triggered): whoever does not read or write until it would
  // block has to come back by itself.
  virtual void on_ready(uint32_t events) = 0;

 protected:
  ~Watcher() = default;
};

// A server or a client pool, as the end of the loop sees it.
class Part {
 public:
  virtual void begin_stop() = 0;  // once
  virtual bool busy() const = 0;  // the end waits for it
  virtual void end_now() = 0;     // it has waited long enough

 protected:
  ~Part() = default;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run(const StopFlag* stop);
  void call_at(int64_t at_ns, std::function<void()> run);
  void post(std::function<void()> run);
  void begin_stop(int64_t grace_ns);

  void add(Part& part);
  void remove(Part& part);
  bool stopping() const { return stopping_; }
  void end_if_done();

  // From here on the watcher is told when the socket can be read or has ended; and with watch_writing() each
  // time that it can be written again. Closing the socket ends that, but unwatch() must come before.
  // Sockets watched `first` have their turn before the others, however many of those are ready: answers of
  // model servers do not stand in line behind new requests.
  void watch(int fd, Watcher& watcher, bool writing = false, bool first = false);
  void watch_writing(int fd);
  void unwatch(int fd);

  // Where a read puts its bytes until they are parsed: one for all sockets, since reads do not wait. Whoever
  // calls something that may read has to be done with it.
  std::span<char> read_buffer() { return read_buffer_; }
  // `Date: ...` with its line end, for now.
  const std::string& date_line();

 private:
  struct Timer {
    int64_t at_ns;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Timer& other) const {  // the earliest is the top of the heap
      return at_ns != other.at_ns ? at_ns > other.at_ns : order > other.order;
    }
  };
  struct Watched {
    Watcher* watcher = nullptr;
    bool first = false;
  };
  void turn();
  void tell(const epoll_event& event);
  void tell_first();
  void run_due();
  void run_posted();
  void watch_flag(const StopFlag& stop);

  SteadyClock clock_;
  Poller poller_{clock_};
  Poller first_{clock_};          // of those watched first; poller_ watches it
  std::vector<Watched> watched_;  // by descriptor
  std::vector<Part*> parts_;
  std::vector<Timer> timers_;
  uint64_t timers_set_ = 0;

  int wake_ = -1;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;   // under the mutex
  std::vector<std::function<void()>> running_;  // that were posted; empty between turns
  std::atomic<bool> has_posted_{false};
  std::atomic<std::thread::id> thread_{};  // that runs it

  bool stopping_ = false;
  bool ended_ = false;
  std::array<char, 64 * 1024> read_buffer_;
  std::string date_line_;
  int64_t date_until_ns_ = 0;
};

}  // namespace mlq::http
