// An event loop: sockets, timers and calls from other threads, all served by one thread. Servers (server.h)
// and client pools (client_pool.h) stand on one, as many as there are.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "lib/base/stop.h"

namespace mlq::http {

class Loop;

// stop(), post() and now_ns() may be called from any thread; everything else belongs to one thread: the one
// that calls run(), and before that the one that builds what stands on the reactor. It must outlive that.
class Reactor {
 public:
  // Throws an environment Error if there is no descriptor for it.
  Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();  // what is posted or due later is dropped

  // Serves until stop() is called or the flag is set (it is looked at 50 times a second, and then stop() is
  // called). Faults of the network are never thrown; what a callback throws ends the loop and comes out here.
  // To be called once.
  void run(const StopFlag* stop = nullptr);
  // Ends run(): the servers take no more connections and close idle ones; answers under way may take
  // `grace_ns` more, then their connections are closed. Without a server run() ends at once. Requests of
  // client pools that are under way then are dropped without a callback.
  void stop(int64_t grace_ns = 5'000'000'000);

  // Calls `run` when CLOCK_MONOTONIC reaches `at_ns`, never before; timers of the same instant in the order
  // they were set. There is no bound on their number and no way to take one back: one that is set again and
  // again should be one timer that looks at what is due.
  void call_at(int64_t at_ns, std::function<void()> run);
  // Calls `run` soon, in the order of the posts; if it is posted from the loop's thread, when the sockets
  // that are ready now have had their turn. What is posted is held without a bound: bound it where it is
  // made.
  void post(std::function<void()> run);
  static int64_t now_ns();  // CLOCK_MONOTONIC

  Loop& loop() { return *loop_; }  // for lib/http

 private:
  std::unique_ptr<Loop> loop_;
};

}  // namespace mlq::http
