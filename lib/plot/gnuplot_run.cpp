#include "lib/plot/gnuplot_run.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/spawn.h"

namespace mlq::plot {
namespace {

// A file in memory: what is behind the child's standard streams, so that neither side can block the other.
Fd memory_file(const char* name) {
  Fd file(memfd_create(name, MFD_CLOEXEC));
  if (!file) throw environment_error("gnuplot: cannot make a file in memory: {}", std::strerror(errno));
  return file;
}

void write_whole(const Fd& file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw environment_error("gnuplot: cannot write its script: {}", std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(n));
  }
  lseek(file.get(), 0, SEEK_SET);
}

std::string read_whole(const Fd& file) {
  std::string out;
  char buffer[1 << 14];
  lseek(file.get(), 0, SEEK_SET);
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw environment_error("gnuplot: cannot read what it wrote: {}", std::strerror(errno));
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
  }
}

pid_t start(const std::string& program, const Fd& in, const Fd& out, const Fd& err) {
  const Spawned gnuplot = spawn({program, "-d"}, {in.get(), out.get(), err.get()});  // -d: no settings
  if (gnuplot.error != 0)
    throw environment_error(
        "{}: cannot be started: {}; install gnuplot (Debian: gnuplot-nox), name it with MLQ_GNUPLOT, or "
        "write a script for it with -o plot.gp",
        program, std::strerror(gnuplot.error));
  return gnuplot.pid;
}

int wait_for(pid_t pid, const StopFlag& stop) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw environment_error("gnuplot: cannot be waited for: {}", std::strerror(errno));
    if (stop) kill(pid, SIGTERM);
  }
  return status;
}

// The first line with more than blanks and the caret under a fault.
std::string first_line(std::string_view messages) {
  while (!messages.empty()) {
    const size_t end = std::min(messages.find('\n'), messages.size());
    const std::string_view line = messages.substr(0, end);
    if (line.find_first_not_of(" ^\t\r") != std::string_view::npos && !line.starts_with("gnuplot>"))
      return std::string(line);
    messages.remove_prefix(std::min(end + 1, messages.size()));
  }
  return "it did not say why";
}

}  // namespace

Drawn run_gnuplot(const std::string& program, std::string_view script, const StopFlag& stop) {
  const Fd in = memory_file("script"), out = memory_file("picture"), err = memory_file("messages");
  write_whole(in, script);
  const int status = wait_for(start(program, in, out, err), stop);
  Drawn drawn{read_whole(out), read_whole(err)};
  if (WIFSIGNALED(status) && stop) return {};
  if (WIFSIGNALED(status)) throw environment_error("{}: ended by signal {}", program, WTERMSIG(status));
  if (WEXITSTATUS(status) != 0)
    throw environment_error("{}: failed with exit status {}: {}", program, WEXITSTATUS(status),
                            first_line(drawn.messages));
  if (drawn.picture.empty())
    throw environment_error("{}: drew nothing: {}", program, first_line(drawn.messages));
  return drawn;
}

}  // namespace mlq::plot
