#include "lib/serve/model/isolated.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/serve/model/frames.h"

namespace mlq::serve::model {
namespace {

constexpr int64_t kFirstRestartNs = 100'000'000;
constexpr int64_t kLastRestartNs = 10'000'000'000;
constexpr int64_t kSliceNs = 20'000'000;

// Starts the program with `socket` as its kInstanceSocket, nothing else open behind it, and standard output
// sent to standard error: records are the parent's alone.
pid_t spawn(const std::string& program, int socket) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, socket, kInstanceSocket);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, kInstanceSocket + 1);
  std::string name = "mlq-model";
  std::string argument = "--instance";
  char* const arguments[] = {name.data(), argument.data(), nullptr};
  pid_t child = -1;
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw environment_error("{}: it cannot be started: {}", program, std::strerror(error));
  return child;
}

// The reason that follows a header; none if the child has gone.
std::optional<std::string> receive_error(int socket, const AnswerHeader& header, const StopFlag* give_up) {
  std::string error(header.error_bytes, '\0');
  if (!receive_all(socket, error.data(), error.size(), give_up)) return std::nullopt;
  return error;
}

bool send_source(int socket, const ModelSource& source) {
  const SourceHeader header{source.backend, source.echo, source.name.size(), source.bytes.size()};
  return send_value(socket, header) && send_all(socket, source.name.data(), source.name.size()) &&
         send_all(socket, source.bytes.data(), source.bytes.size());
}

// False if the child died over it.
bool receive_answer(int socket, const ModelInfo& info, size_t rows, const StopFlag* give_up, Answer& answer) {
  AnswerHeader header;
  if (!receive_value(socket, header, give_up)) return false;
  if (header.error_bytes > 0) {
    const auto error = receive_error(socket, header, give_up);
    if (error) answer.error = *error;
    return error.has_value();
  }
  for (const OutputInfo& output : info.outputs) {
    auto& values = answer.outputs.emplace_back(rows * output.width);
    if (!receive_all(socket, values.data(), values.size() * sizeof(double), give_up)) return false;
  }
  return true;
}

}  // namespace

IsolatedModel::IsolatedModel(ModelInfo info, std::shared_ptr<const ModelSource> source, std::string program)
    : Model(std::move(info)), source_(std::move(source)), program_(std::move(program)) {
  start();
}

IsolatedModel::~IsolatedModel() { stop(); }

void IsolatedModel::start() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    throw environment_error("no socket for a child process: {}", std::strerror(errno));
  // Not the number that it is to have in the child: a duplicate onto itself would keep its close-on-exec.
  const int theirs = ::fcntl(pair[1], F_DUPFD_CLOEXEC, kInstanceSocket + 1);
  ::close(pair[1]);
  socket_ = pair[0];
  try {
    child_ = spawn(program_, theirs);
  } catch (...) {
    ::close(theirs);
    stop();
    throw;
  }
  ::close(theirs);
  AnswerHeader header;
  std::optional<std::string> error;
  if (send_source(socket_, *source_) && receive_value(socket_, header)) {
    error = receive_error(socket_, header, nullptr);
  }
  if (error && error->empty()) return;
  stop();
  if (error) throw Error(static_cast<ExitKind>(header.exit_kind), *error);
  throw environment_error("{}: the child process died over it", source_->name);
}

void IsolatedModel::stop() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  if (child_ < 0) return;
  ::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
}

void IsolatedModel::bury(int64_t now_ns) {
  stop();
  restart_ns_ = now_ns + std::min(kFirstRestartNs << std::min(deaths_, 20), kLastRestartNs);
  ++deaths_;
}

// False if it was given up.
bool IsolatedModel::wait_for_restart(const StopFlag* give_up) const {
  const SteadyClock clock;
  for (int64_t now = clock.now_ns(); now < restart_ns_; now = clock.now_ns()) {
    if (give_up != nullptr && *give_up) return false;
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(kSliceNs, restart_ns_ - now)));
  }
  return true;
}

Answer IsolatedModel::predict(const Rows& rows, const Conditions& conditions, RowPool&,
                              const StopFlag* give_up) {
  Answer answer;
  try {
    if (child_ < 0) {
      if (!wait_for_restart(give_up)) return {"the instance is being started again", {}};
      start();
    }
  } catch (const Error& error) {
    bury(SteadyClock().now_ns());
    return {error.what(), {}};
  }
  const BatchHeader header{conditions, rows.count, rows.values.size()};
  if (send_value(socket_, header) &&
      send_all(socket_, rows.values.data(), rows.values.size() * sizeof(double)) &&
      receive_answer(socket_, info(), rows.count, give_up, answer)) {
    deaths_ = 0;
    return answer;
  }
  bury(SteadyClock().now_ns());
  return {"the instance died over this batch", {}};
}

}  // namespace mlq::serve::model
