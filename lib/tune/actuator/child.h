// Processes that an actuator starts: servers, and commands that are waited for. No shell.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/tune/actuator/attempt.h"

namespace mlq::tune {

struct ChildSpec {
  std::vector<std::string> argv;                         // argv[0] is looked for on PATH
  std::vector<std::pair<std::string, std::string>> env;  // beside this process's own
  std::string cwd;                                       // empty: this process's
  std::string log;             // file that its output is appended to; empty: our standard error
  bool leaves_others = false;  // what it has started may outlive it: a command that starts a server
};

// A process by number and the time of its start (field 22 of /proc/PID/stat, in clock ticks since boot), so
// that another one that got the number later is never taken for it.
struct ProcessName {
  pid_t pid = 0;
  uint64_t start = 0;
};
// None if there is no such process, or if it has ended and waits for its parent.
std::optional<uint64_t> process_start(pid_t pid);
// Changes with every boot of the machine.
std::string boot_id();

// A process in a group of its own, started here or taken over from an earlier run of this program. Leaves the
// process alone when it is destroyed.
class Child {
 public:
  // `input` and `output`, where not -1, become its standard input and output; else these are /dev/null and
  // the log. `known` (may be null) is called with its name before the program runs: if this process dies
  // earlier, the program never does. An environment Error if it cannot be started.
  using Known = std::function<void(const ProcessName&)>;
  static Child start(const ChildSpec& spec, int input = -1, int output = -1, const Known& known = nullptr);
  static Child taken_over(const ProcessName& name);

  const ProcessName& name() const { return name_; }
  bool alive();
  // How it ended, in words, once it is not alive; of a process that was taken over only that it did.
  std::string how_it_ended() const;
  std::optional<int> exit_status() const { return status_; }  // 128 + n: ended by signal n
  // SIGTERM to its group, `grace_ns` later SIGKILL; returns when it has gone. A stop request makes it no
  // faster: half a stop would leave two servers. False if it does not go.
  bool stop(const Clock& clock, int64_t grace_ns);
  // Waits for the end; false at the deadline or a stop request.
  bool wait(const Attempt& attempt, int64_t until_ns);

 private:
  void signal_group(int number);
  ProcessName name_;
  bool ours_ = false;
  bool leaves_others_ = false;
  bool ended_ = false;
  std::optional<int> status_;
};

// Runs a command to its end. A failure of the command itself is `refused`; one that cannot be started, or
// does not end in time (it is then killed), is `broken`.
Failed run_command(const ChildSpec& spec, const Attempt& attempt, int64_t timeout_ns);

// For messages: arguments with spaces between, quoted for a shell where they need it.
std::string command_text(const std::vector<std::string>& argv);

}  // namespace mlq::tune
