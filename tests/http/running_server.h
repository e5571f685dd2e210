// A server on a thread of its own, which ends with it.
#pragma once

#include <future>
#include <thread>

#include "lib/http/server.h"

namespace mlq::test {

class RunningServer {
 public:
  explicit RunningServer(http::Handler handler, const http::ServerOptions& options = {})
      : server_(reactor_, options, std::move(handler)), thread_([this] { reactor_.run(); }) {}
  ~RunningServer() { stop(); }
  void stop() {
    reactor_.stop(0);
    if (thread_.joinable()) thread_.join();
  }
  http::Server* operator->() { return &server_; }
  http::Reactor& reactor() { return reactor_; }
  // As the server's thread sees them, or, after stop(), this one.
  http::ServerCounters counters() {
    if (!thread_.joinable()) return server_.counters();
    std::promise<http::ServerCounters> counters;
    reactor_.post([&] { counters.set_value(server_.counters()); });
    return counters.get_future().get();
  }

 private:
  http::Reactor reactor_;
  http::Server server_;
  std::thread thread_;
};

}  // namespace mlq::test
