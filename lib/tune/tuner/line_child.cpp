#include "lib/tune/tuner/line_child.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/spawn.h"

namespace mlq::tune {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kLookNs = 100 * kMs;  // how often a stop request is looked for
constexpr int64_t kGraceNs = 2'000 * kMs;
constexpr size_t kLongestLine = size_t{1} << 20;

int64_t now_ns() { return SteadyClock().now_ns(); }

}  // namespace

// A pair of sockets rather than two pipes: writing to a child that is gone is then an error, not a signal.
LineChild::LineChild(const std::string& command) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw environment_error("{}: no pipe to it: {}", command, std::strerror(errno));
  const Spawned child = spawn({"/bin/sh", "-c", command}, {ends[1], ends[1], -1}, true);
  ::close(ends[1]);
  if (child.error != 0) {
    ::close(ends[0]);
    throw environment_error("{}: cannot be started: {}", command, std::strerror(child.error));
  }
  socket_ = ends[0];
  pid_ = child.pid;
}

LineChild::~LineChild() {
  close_pipe();
  const int64_t until = now_ns() + kGraceNs;
  while (!reaped_ && now_ns() < until) {
    reaped_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    if (!reaped_) ::usleep(2000);
  }
  // What the shell may have left behind is in its group.
  ::kill(-pid_, SIGKILL);
  if (!reaped_) ::waitpid(pid_, &status_, 0);
}

void LineChild::close_pipe() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

LineChild::Outcome LineChild::wait_for(short events, int64_t until_ns, const StopFlag* stop) {
  for (;;) {
    if (stop != nullptr && *stop) return Outcome::stopped;
    const int64_t left = until_ns - now_ns();
    if (left <= 0) return Outcome::late;
    pollfd poll{socket_, events, 0};
    const int ready = ::poll(&poll, 1, static_cast<int>(std::min(left, kLookNs) / kMs + 1));
    if (ready > 0) return Outcome::ok;
    if (ready < 0 && errno != EINTR) return Outcome::ended;
  }
}

LineChild::Outcome LineChild::send(std::string_view line, int64_t deadline_ns, const StopFlag* stop) {
  const int64_t until = now_ns() + deadline_ns;
  std::string text(line);
  text += '\n';
  for (size_t sent = 0; sent < text.size();) {
    if (const Outcome outcome = wait_for(POLLOUT, until, stop); outcome != Outcome::ok) return outcome;
    const ssize_t n = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return Outcome::ended;
    if (n > 0) sent += static_cast<size_t>(n);
  }
  return Outcome::ok;
}

LineChild::Outcome LineChild::receive(std::string& line, int64_t deadline_ns, const StopFlag* stop) {
  const int64_t until = now_ns() + deadline_ns;
  for (size_t scanned = 0;;) {
    const size_t end = unread_.find('\n', scanned);
    if (end != unread_.npos) {
      line.assign(unread_, 0, end);
      unread_.erase(0, end + 1);
      return Outcome::ok;
    }
    scanned = unread_.size();
    if (scanned > kLongestLine) return Outcome::too_long;
    if (const Outcome outcome = wait_for(POLLIN, until, stop); outcome != Outcome::ok) return outcome;
    char block[4096];
    const ssize_t n = ::recv(socket_, block, sizeof block, MSG_DONTWAIT);
    if (n == 0) return Outcome::ended;
    if (n < 0 && errno != EAGAIN && errno != EINTR) return Outcome::ended;
    if (n > 0) unread_.append(block, static_cast<size_t>(n));
  }
}

std::string LineChild::how_it_ended() {
  const int64_t until = now_ns() + 200 * kMs;
  while (!reaped_ && now_ns() < until) {
    reaped_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    if (!reaped_) ::usleep(2000);
  }
  if (!reaped_) return "it closed the pipe";
  if (WIFSIGNALED(status_)) return fmt::format("signal {}", WTERMSIG(status_));
  return fmt::format("exit status {}", WEXITSTATUS(status_));
}

}  // namespace mlq::tune
