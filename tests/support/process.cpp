#include "tests/support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace mlq::test {
namespace {

using Clock = std::chrono::steady_clock;

void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

// A descriptor of ours; never handed to a child by accident.
struct Fd {
  int fd = -1;
  Fd() = default;
  explicit Fd(int given) : fd(given) {}
  Fd(Fd&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Fd() { reset(); }
  void reset() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  explicit operator bool() const { return fd >= 0; }
};

struct Pipe {
  Fd reader, writer;
  static Pipe make() {
    int ends[2];
    must(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
    return {Fd(ends[0]), Fd(ends[1])};
  }
};

// A pseudo-terminal: what the child sees, and our side of it.
Pipe make_terminal() {
  Fd ours(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  must(bool(ours) && ::grantpt(ours.fd) == 0 && ::unlockpt(ours.fd) == 0, "pseudo-terminal");
  char name[128];
  must(::ptsname_r(ours.fd, name, sizeof name) == 0, "ptsname");
  Fd theirs(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  must(bool(theirs), name);
  return {std::move(ours), std::move(theirs)};
}

std::string program_path(const std::string& name) {
  const std::string built = std::string(MLQ_BIN_DIR) + "/" + name;
  return name.find('/') == std::string::npos && ::access(built.c_str(), X_OK) == 0 ? built : name;
}

std::string proc_file(pid_t pid, const char* name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number behind `key` in a file of /proc, or -1 where there is none.
long long proc_number(const std::string& text, const std::string& key, int base) {
  const size_t at = text.find(key);
  return at == std::string::npos
             ? -1
             : static_cast<long long>(std::strtoull(text.c_str() + at + key.size(), nullptr, base));
}

bool catches(pid_t pid, int signal) {
  const long long mask = proc_number(proc_file(pid, "status"), "SigCgt:", 16);
  return mask >= 0 && ((mask >> (signal - 1)) & 1) != 0;
}

bool asleep(pid_t pid) {
  const std::string stat = proc_file(pid, "stat");
  const size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.compare(name_end + 2, 1, "S") == 0;
}

// Longer than a program takes a signal for a repetition of the one before it, by far.
constexpr std::chrono::milliseconds kNoRepetition{500};

class Running {
 public:
  explicit Running(const Command& command) : command_(command), deadline_(Clock::now() + command.limit) {
    open_ends();
    start();
  }

  Result wait() {
    while (!ended()) {
      send_signals();
      exchange();
      if (Clock::now() > deadline_ && !result_.timed_out) {
        result_.timed_out = true;
        ::kill(pid_, SIGKILL);
      }
    }
    drain();
    return std::move(result_);
  }

 private:
  void open_ends() {
    if (command_.in == Command::In::text || command_.in == Command::In::held) {
      Pipe pipe = Pipe::make();
      child_in_ = std::move(pipe.reader);
      in_ = std::move(pipe.writer);
      ::fcntl(in_.fd, F_SETFL, O_NONBLOCK);
    }
    if (command_.in == Command::In::terminal || command_.err_terminal) {
      Pipe terminal = make_terminal();
      terminal_ = std::move(terminal.reader);
      if (command_.in == Command::In::terminal) child_in_ = Fd(::dup(terminal.writer.fd));
      if (command_.err_terminal) child_err_ = std::move(terminal.writer);
    }
    if (!command_.err_terminal) {
      Pipe pipe = Pipe::make();
      child_err_ = std::move(pipe.writer);
      err_ = std::move(pipe.reader);
    }
    if (command_.out == Command::Out::file) {
      child_out_ = Fd(::open(command_.out_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
      must(bool(child_out_), command_.out_file.c_str());
    } else if (command_.out != Command::Out::closed) {
      Pipe pipe = Pipe::make();
      child_out_ = std::move(pipe.writer);
      if (command_.out != Command::Out::dropped || command_.out_bytes > 0) out_ = std::move(pipe.reader);
    }
  }

  void start() {
    std::vector<char*> argv;
    path_ = program_path(command_.argv.at(0));
    argv.push_back(path_.data());
    for (size_t i = 1; i < command_.argv.size(); ++i)
      argv.push_back(const_cast<char*>(command_.argv[i].c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    must(pid_ >= 0, "fork");
    if (pid_ == 0) become(argv.data());
    child_in_.reset();
    child_out_.reset();
    child_err_.reset();
    if (command_.in == Command::In::text && command_.input.empty()) in_.reset();
  }

  // In the child, up to exec.
  [[noreturn]] void become(char* const* argv) {
    ::setsid();
    const auto place = [](const Fd& from, int to) {
      if (!from) {
        ::close(to);
      } else if (::dup2(from.fd, to) < 0) {
        ::_exit(127);
      }
    };
    place(child_in_, STDIN_FILENO);
    place(child_out_, STDOUT_FILENO);
    place(child_err_, STDERR_FILENO);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) ::signal(signal, SIG_DFL);
    for (const std::string& entry : command_.environment) ::putenv(const_cast<char*>(entry.c_str()));
    int program = -1;
    if (command_.unprivileged && ::geteuid() == 0) {
      // Opened before, since the build may lie where "nobody" cannot go, as in /root.
      program = ::open(argv[0], O_PATH | O_CLOEXEC);
      const passwd* nobody = ::getpwnam("nobody");
      if (nobody == nullptr || ::setgroups(0, nullptr) != 0 || ::setgid(nobody->pw_gid) != 0 ||
          ::setuid(nobody->pw_uid) != 0)
        ::_exit(127);
    }
    if (!command_.folder.empty() && ::chdir(command_.folder.c_str()) != 0) ::_exit(127);
    if (program >= 0) ::fexecve(program, argv, environ);
    ::execvp(argv[0], argv);
    ::_exit(127);
  }

  bool ended() {
    if (pid_ < 0) return true;
    int status = 0;
    rusage usage{};
    if (::wait4(pid_, &status, WNOHANG, &usage) != pid_) return false;
    pid_ = -1;
    if (WIFEXITED(status)) result_.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
    result_.peak_bytes = static_cast<size_t>(usage.ru_maxrss) * 1024;
    return true;
  }

  void send_signals() {
    if (sent_ == command_.signals.size()) return;
    const int signal = command_.signals[sent_];
    if (sent_ == 0) {
      if (!catches(pid_, signal) || output_bytes() < command_.after_output) return;
      if (command_.when_asleep && (!has_read_input() || !asleep(pid_))) return;
      const auto written = proc_number(proc_file(pid_, "io"), "wchar:", 10);
      if (written >= 0 && static_cast<size_t>(written) < command_.after_written) return;
    } else if (Clock::now() < sent_at_ + kNoRepetition ||
               proc_number(proc_file(pid_, "status"), "ShdPnd:", 16) != 0) {
      return;
    }
    if (command_.at_once) return send_all();
    ::kill(pid_, signal);
    ++sent_;
    sent_at_ = Clock::now();
  }

  void send_all() {
    ::kill(pid_, SIGSTOP);
    for (; sent_ < command_.signals.size(); ++sent_) ::kill(pid_, command_.signals[sent_]);
    ::kill(pid_, SIGCONT);
  }

  // A program that is faster than we are may already wait for an input that we have not written.
  bool has_read_input() const {
    int waiting = 0;
    if (in_) ::ioctl(in_.fd, FIONREAD, &waiting);
    return !wants_input() && waiting == 0;
  }

  size_t output_bytes() const {
    int waiting = 0;
    if (out_) ::ioctl(out_.fd, FIONREAD, &waiting);
    return result_.out.size() + static_cast<size_t>(waiting);
  }

  // Moves bytes for a moment.
  void exchange() {
    std::vector<pollfd> ends;
    const auto add = [&](const Fd& fd, short events) {
      if (fd) ends.push_back({fd.fd, events, 0});
    };
    if (wants_input()) add(in_, POLLOUT);
    if (command_.out != Command::Out::unread) add(out_, POLLIN);
    add(err_, POLLIN);
    add(terminal_, POLLIN);
    ::poll(ends.data(), ends.size(), 2);
    for (const pollfd& end : ends) {
      if (end.revents == 0) continue;
      if (end.fd == in_.fd) feed();
      if (end.fd == out_.fd) take_out();
      if (end.fd == err_.fd) take(err_, result_.err);
      if (end.fd == terminal_.fd) take(terminal_, result_.err);
    }
  }

  bool wants_input() const { return in_ && fed_ < command_.input.size(); }

  void feed() {
    const ssize_t n = ::write(in_.fd, command_.input.data() + fed_, command_.input.size() - fed_);
    if (n > 0) fed_ += static_cast<size_t>(n);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
      fed_ = command_.input.size();  // it does not read any more
    if (fed_ == command_.input.size() && command_.in == Command::In::text) in_.reset();
  }

  bool take(Fd& from, std::string& to) {
    char buffer[1 << 16];
    const ssize_t n = ::read(from.fd, buffer, sizeof buffer);
    if (n > 0) to.append(buffer, static_cast<size_t>(n));
    if (n <= 0 && !(n < 0 && errno == EINTR))
      from.reset();  // a terminal says EIO when its other side is closed
    return bool(from);
  }

  void take_out() {
    if (!take(out_, result_.out)) return;
    if (command_.out == Command::Out::dropped && result_.out.size() >= command_.out_bytes) out_.reset();
  }

  // What is left in the pipes of a program that has ended; a child of its own may still hold them, so no
  // waiting.
  void drain() {
    for (const Fd* fd : {&out_, &err_, &terminal_}) {
      if (*fd) ::fcntl(fd->fd, F_SETFL, O_NONBLOCK);
    }
    while (out_ && take(out_, result_.out)) {
    }
    while (err_ && take(err_, result_.err)) {
    }
    while (terminal_ && take(terminal_, result_.err)) {
    }
  }

  const Command& command_;
  const Clock::time_point deadline_;
  std::string path_;
  Result result_;
  Fd in_, out_, err_, terminal_;         // our ends
  Fd child_in_, child_out_, child_err_;  // theirs
  pid_t pid_ = -1;
  size_t fed_ = 0;
  size_t sent_ = 0;
  Clock::time_point sent_at_ = {};
};

// A write into a pipe that the program has closed must not end the test.
void ignore_sigpipe() {
  static const bool done = [] {
    ::signal(SIGPIPE, SIG_IGN);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace

std::string Result::summary() const {
  std::ostringstream text;
  if (timed_out) text << "did not end in time; ";
  if (signal != 0) text << "ended by signal " << signal;
  if (status >= 0) text << "exit " << status;
  text << "\nstdout (" << out.size() << " bytes): " << out.substr(0, 600)
       << "\nstderr: " << err.substr(0, 2000);
  return text.str();
}

Result run(const Command& command) {
  ignore_sigpipe();
  return Running(command).wait();
}

Result run(const std::vector<std::string>& argv, const std::string& input) {
  Command command;
  command.argv = argv;
  command.input = input;
  return run(command);
}

}  // namespace mlq::test
