#include "tests/serve/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "lib/base/io.h"
#include "tests/support/socket_client.h"

extern char** environ;

namespace mlq::test {

ServerProcess::ServerProcess(const std::string& program, std::vector<std::string> arguments,
                             const std::string& socket) {
  const std::string path = MLQ_BIN_DIR "/" + program;
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const int error = ::posix_spawn(&pid_, path.c_str(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::runtime_error("cannot start " + path);
  for (int k = 0; k < 400; ++k) {
    try {
      SocketClient probe(socket);
      return;
    } catch (const std::runtime_error&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  signal(SIGKILL);
  wait();
  throw std::runtime_error(path + " does not listen on " + socket);
}

ServerProcess::~ServerProcess() {
  if (pid_ < 0) return;
  signal(SIGKILL);
  wait();
}

void ServerProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

int ServerProcess::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int ServerProcess::stop() {
  signal(SIGCONT);
  signal(SIGTERM);
  return wait();
}

uint64_t ServerProcess::resident_bytes() const {
  std::istringstream pages(read_file("/proc/" + std::to_string(pid_) + "/statm"));
  uint64_t all = 0, resident = 0;
  pages >> all >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

int64_t ServerProcess::cpu_ns() const {
  const std::string text = read_file("/proc/" + std::to_string(pid_) + "/stat");
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string ignored;
  for (int k = 0; k < 11; ++k) fields >> ignored;
  int64_t user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * (1'000'000'000 / ::sysconf(_SC_CLK_TCK));
}

}  // namespace mlq::test
