// A child process that is spoken to in lines, with a deadline on each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/stop.h"

namespace mlq::tune {

// Not thread-safe. Its standard error is ours.
class LineChild {
 public:
  enum class Outcome { ok, ended, late, stopped, too_long };

  // Runs `command` by /bin/sh in a process group of its own. An environment Error if there is no process.
  explicit LineChild(const std::string& command);
  // Closes its input, waits up to 2 s for it to exit, then kills the group.
  ~LineChild();
  LineChild(const LineChild&) = delete;
  LineChild& operator=(const LineChild&) = delete;

  // `line` and a line feed.
  Outcome send(std::string_view line, int64_t deadline_ns, const StopFlag* stop);
  // The next line of at most 1 MiB, without its end.
  Outcome receive(std::string& line, int64_t deadline_ns, const StopFlag* stop);
  // After Outcome::ended: "exit status 3", "signal 9", or "it closed the pipe".
  std::string how_it_ended();

 private:
  Outcome wait_for(short events, int64_t until_ns, const StopFlag* stop);
  void close_pipe();

  int socket_ = -1;
  int pid_ = -1;
  int status_ = 0;
  bool reaped_ = false;
  std::string unread_;
};

}  // namespace mlq::tune
