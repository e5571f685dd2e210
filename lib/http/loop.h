// The event loop that the parts of the server share: timers, what connections need to know, and the end.
// Internal to lib/http; everything is used from the loop's thread, apart from post_stop().
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "lib/http/server.h"

namespace mlq::http {

class Loop {
 public:
  Loop(const ServerOptions& options, Handler handler);

  void run(const StopFlag* stop);
  void post_stop(int64_t grace_ns);
  void call_at(int64_t at_ns, std::function<void()> run);

  boost::asio::io_context& io() { return io_; }
  const ServerOptions& options() const { return options_; }
  const Handler& handler() const { return handler_; }
  // Where a read puts its bytes until they are parsed: one for all connections, since reads do not wait.
  std::span<char> read_buffer() { return read_buffer_; }
  // `Date: ...` with its line end, for now.
  const std::string& date_line();

  void opened(Connection& connection) { open_.insert(&connection); }
  void closed(Connection& connection);
  bool stopping() const { return stopping_; }
  // Called once when the end begins.
  std::function<void()> on_stop;

 private:
  struct Timer {
    int64_t at_ns;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Timer& other) const {  // the earliest is the top of the heap
      return at_ns != other.at_ns ? at_ns > other.at_ns : order > other.order;
    }
  };
  void arm();
  void run_due();
  void watch(const StopFlag& stop);
  void begin_stop(int64_t grace_ns);
  void end_if_done();

  ServerOptions options_;
  Handler handler_;
  std::array<char, 64 * 1024> read_buffer_;
  std::string date_line_;
  int64_t date_until_ns_ = 0;
  std::unordered_set<Connection*> open_;
  bool stopping_ = false;

  // In this order: waiting handlers and timers hold connections, whose sockets belong to the context.
  boost::asio::io_context io_{1};
  boost::asio::steady_timer timer_{io_};
  std::vector<Timer> timers_;
  uint64_t timers_set_ = 0;
  bool armed_ = false;
  int64_t armed_ns_ = 0;
  bool running_due_ = false;
};

}  // namespace mlq::http
