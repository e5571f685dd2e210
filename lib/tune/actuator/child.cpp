#include "lib/tune/actuator/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/base/units.h"

namespace mlq::tune {
namespace {

constexpr int64_t kKillGraceNs = 10'000'000'000;

// /proc says 0 for the size of its files, which read_file does not mind.
std::string proc_file(pid_t pid, const char* name) {
  try {
    return read_file(fmt::format("/proc/{}/{}", pid, name), size_t{1} << 20);
  } catch (const Error&) {
    return {};  // it has gone
  }
}

std::vector<std::string> environment_of(const ChildSpec& spec) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto replaced = [&](const auto& variable) {
      return text.substr(0, text.find('=')) == variable.first;
    };
    if (std::ranges::none_of(spec.env, replaced)) out.emplace_back(text);
  }
  for (const auto& [name, value] : spec.env) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// A pipe whose ends close on exec.
struct Gate {
  int ends[2] = {-1, -1};
  Gate() {
    if (::pipe2(ends, O_CLOEXEC) != 0) throw environment_error("no pipe: {}", std::strerror(errno));
  }
  ~Gate() {
    for (int k = 0; k < 2; ++k) close(k);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void close(int end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

// What the child does between fork and exec: calls that are safe there, and nothing else.
struct Launch {
  const char* log;
  const char* cwd;
  int input, output;
  char** argv;
  char** env;
};

void move_to(int fd, int place) {
  if (fd == place)
    ::fcntl(fd, F_SETFD, 0);
  else
    ::dup2(fd, place);
}

bool place_streams(const Launch& launch) {
  const int input = launch.input >= 0 ? launch.input : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  int log = STDERR_FILENO;
  if (launch.log != nullptr) log = ::open(launch.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (input < 0 || log < 0) return false;
  move_to(input, STDIN_FILENO);
  if (log != STDERR_FILENO) move_to(log, STDERR_FILENO);
  ::dup2(launch.output >= 0 ? launch.output : STDERR_FILENO, STDOUT_FILENO);
  return true;
}

[[noreturn]] void run_child(const Launch& launch, const Gate& gate, const Gate& report) {
  ::setpgid(0, 0);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::close(gate.ends[1]);
  char open = 0;
  ssize_t got = 0;
  do got = ::read(gate.ends[0], &open, 1);
  while (got < 0 && errno == EINTR);
  if (got == 1 && (launch.cwd == nullptr || ::chdir(launch.cwd) == 0) && place_streams(launch))
    ::execvpe(launch.argv[0], launch.argv, launch.env);
  const int why = errno;
  [[maybe_unused]] const ssize_t told = ::write(report.ends[1], &why, sizeof why);
  ::_exit(127);
}

int status_of(const siginfo_t& info) {
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

}  // namespace

std::optional<uint64_t> process_start(pid_t pid) {
  const std::string stat = proc_file(pid, "stat");
  const size_t name_end = stat.rfind(')');  // the name may have spaces and parentheses
  if (name_end == stat.npos) return std::nullopt;
  std::string_view rest = std::string_view(stat).substr(name_end + 1);
  if (rest.starts_with(" Z") || rest.starts_with(" X")) return std::nullopt;
  for (int field = 2; field < 22; ++field) {
    const size_t space = rest.find(' ');
    if (space == rest.npos) return std::nullopt;
    rest.remove_prefix(space + 1);
  }
  uint64_t start = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), start);
  if (error != std::errc() || end == rest.data()) return std::nullopt;
  return start;
}

std::string boot_id() {
  std::string text = read_file("/proc/sys/kernel/random/boot_id", 256);
  return text.substr(0, text.find('\n'));
}

Child Child::start(const ChildSpec& spec, int input, int output, const Known& known) {
  std::vector<std::string> argv = spec.argv, env = environment_of(spec);
  const std::vector<char*> argv_pointers = pointers(argv), env_pointers = pointers(env);
  const Launch launch{spec.log.empty() ? nullptr : spec.log.c_str(),
                      spec.cwd.empty() ? nullptr : spec.cwd.c_str(),
                      input,
                      output,
                      const_cast<char**>(argv_pointers.data()),
                      const_cast<char**>(env_pointers.data())};
  Gate gate, report;
  Child child;
  child.leaves_others_ = spec.leaves_others;
  child.name_.pid = ::fork();
  if (child.name_.pid == 0) run_child(launch, gate, report);
  if (child.name_.pid < 0) throw environment_error("{}: no new process: {}", argv[0], std::strerror(errno));
  child.ours_ = true;
  ::setpgid(child.name_.pid, child.name_.pid);  // also in the child; whoever comes first
  child.name_.start = process_start(child.name_.pid).value_or(0);
  report.close(1);
  if (known) known(child.name_);
  int why = 0;
  const bool opened = ::write(gate.ends[1], "", 1) == 1;
  if (!opened || ::read(report.ends[0], &why, sizeof why) > 0) {
    ::waitpid(child.name_.pid, nullptr, 0);
    const std::string place = spec.cwd.empty() ? "" : " in " + spec.cwd;
    throw environment_error("{}: cannot be started{}: {}", argv[0], place, std::strerror(why));
  }
  return child;
}

Child Child::taken_over(const ProcessName& name) {
  Child child;
  child.name_ = name;
  return child;
}

bool Child::alive() {
  if (ended_) return false;
  if (!ours_) {
    ended_ = process_start(name_.pid) != name_.start;
    return !ended_;
  }
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(name_.pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 &&
      errno == ECHILD) {
    ended_ = true;
  } else if (info.si_pid != 0) {
    // It still has its number, so the group is still its own: what it has left behind goes too.
    if (!leaves_others_) ::kill(-name_.pid, SIGKILL);
    ::waitid(P_PID, static_cast<id_t>(name_.pid), &info, WEXITED);
    status_ = status_of(info);
    ended_ = true;
  }
  return !ended_;
}

std::string Child::how_it_ended() const {
  if (!status_) return "it has ended";
  if (*status_ < 128) return fmt::format("it ended with exit status {}", *status_);
  return fmt::format("it was ended by signal {}", *status_ - 128);
}

void Child::signal_group(int number) {
  if (alive()) ::kill(-name_.pid, number);
}

bool Child::wait(const Attempt& attempt, int64_t until_ns) {
  constexpr int64_t kLookNs = 10'000'000;
  while (alive()) {
    const int64_t now = attempt.now_ns();
    if (now >= until_ns) return false;
    if (!attempt.wait_until(std::min(until_ns, now + kLookNs))) return !alive();
  }
  return true;
}

bool Child::stop(const Clock& clock, int64_t grace_ns) {
  const Attempt attempt(clock, nullptr);
  signal_group(SIGTERM);
  if (wait(attempt, attempt.now_ns() + grace_ns)) return true;
  signal_group(SIGKILL);
  return wait(attempt, attempt.now_ns() + kKillGraceNs);
}

Failed run_command(const ChildSpec& spec, const Attempt& attempt, int64_t timeout_ns) {
  const std::string& name = spec.argv[0];
  Child child = Child::start(spec);
  if (!child.wait(attempt, attempt.now_ns() + timeout_ns)) {
    child.stop(attempt.clock(), 0);
    if (attempt.stopped()) return Failure{ApplyResult::broken, "stopped"};
    return Failure{ApplyResult::broken,
                   fmt::format("{}: did not end within {}", name, format_duration(timeout_ns))};
  }
  if (child.exit_status() == 0) return std::nullopt;
  return Failure{ApplyResult::refused, name + ": " + child.how_it_ended()};
}

std::string command_text(const std::vector<std::string>& argv) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%*<>";
  std::string out;
  for (const std::string& argument : argv) {
    if (!out.empty()) out += ' ';
    if (!argument.empty() && argument.find_first_not_of(plain) == argument.npos) {
      out += argument;
      continue;
    }
    out += '\'';
    for (const char c : argument) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

}  // namespace mlq::tune
