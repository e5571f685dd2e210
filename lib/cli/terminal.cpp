#include "lib/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "lib/base/error.h"

namespace mlq::cli {
namespace {

struct Size {
  int columns = 80;
  int lines = 24;
};

Size terminal_size(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row == 0 ? 24 : size.ws_row};
}

// "" for a variable that is not set.
std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view locale = variable(name);
    if (locale.empty()) continue;
    for (const std::string_view utf8 : {"UTF-8", "utf-8", "utf8", "UTF8"}) {
      if (locale.find(utf8) != std::string_view::npos) return true;
    }
    return false;
  }
  return false;
}

}  // namespace

Terminal Terminal::look(int in, int out, int err) {
  Terminal terminal;
  terminal.in = in;
  terminal.out = out;
  terminal.err = err;
  terminal.in_is_terminal = isatty(in) != 0;
  terminal.out_is_terminal = isatty(out) != 0;
  terminal.err_is_terminal = isatty(err) != 0;
  const bool may_colour = variable("TERM") != "dumb" && variable("NO_COLOR").empty();
  terminal.colour = terminal.err_is_terminal && may_colour;
  terminal.out_colour = terminal.out_is_terminal && may_colour;
  terminal.utf8 = locale_is_utf8();
  if (terminal.out_is_terminal) {
    const Size size = terminal_size(out);
    terminal.out_columns = size.columns;
    terminal.out_lines = size.lines;
    terminal.out_width = std::clamp(size.columns, 80, 100);
  }
  if (terminal.err_is_terminal) terminal.err_width = terminal_size(err).columns;
  return terminal;
}

void write_all(int fd, std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE) {
      throw ClosedPipe();
    } else if (errno != EINTR) {
      throw environment_error("{}: {}", name, std::strerror(errno));
    }
  }
}

void write_error(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace mlq::cli
