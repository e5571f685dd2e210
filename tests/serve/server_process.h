// A server of mlq as a process of its own, to be killed, frozen and measured.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mlq::test {

class ServerProcess {
 public:
  // Starts `program` of the build with these arguments, and waits until the Unix socket at `socket` takes
  // connections. Throws std::runtime_error if it does not within 20 s. Standard output goes to /dev/null.
  ServerProcess(const std::string& program, std::vector<std::string> arguments, const std::string& socket);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess();  // killed, if it still runs

  void signal(int number) const;
  int stop();  // SIGTERM; its exit status, or -1 if a signal ended it
  uint64_t resident_bytes() const;
  int64_t cpu_ns() const;  // user and system, of all its threads

 private:
  int wait();
  pid_t pid_ = -1;
};

}  // namespace mlq::test
