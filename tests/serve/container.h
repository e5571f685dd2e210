// A model container for tests: the Open Inference Protocol v2 over JSON, one input "x" and one output "y"
// that has the rows of x again, so that every answer shows whose it is. What it does wrong is up to the test.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lib/http/reactor.h"
#include "lib/http/server.h"

namespace mlq::test {

class Container {
 public:
  struct Seen {
    size_t rows = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  // What a request gets: its rows (each the text of a number) in, the reply's rows out; status other than 200
  // for an error.
  struct Behaviour {
    int64_t base_ns = 0, per_row_ns = 0;
    std::function<int(const std::vector<std::string>& rows)> status = {};
    std::function<void(std::vector<std::string>& rows)> change = {};
    std::function<void(std::string& body)> spoil = {};  // the whole text of a reply
    std::function<bool(size_t nth)> reset = {};         // resets the connection of the nth request
    bool open_rows = true;                              // what its metadata say
    bool ready = true;
  };

  Container();
  explicit Container(Behaviour behaviour);
  ~Container();
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  std::string url() const { return server_->url(); }
  void set(Behaviour behaviour);
  void die();  // closes its port and its connections
  std::vector<Seen> seen() const;
  size_t largest() const;

 private:
  void handle(http::Request& request, const http::Reply& reply);

  mutable std::mutex mutex_;
  Behaviour behaviour_;
  std::vector<Seen> seen_;
  size_t asked_ = 0;
  int64_t free_ns_ = 0;  // when it has served what it has
  http::Reactor reactor_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

}  // namespace mlq::test
