#include "tests/support/piped_input.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace mlq::test {
namespace {

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

PipedInput::PipedInput(std::string bytes, size_t piece) {
  ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  reader_ = ends[0];
  writer_ = std::jthread([bytes = std::move(bytes), piece, fd = ends[1]] {
    for (size_t at = 0; at < bytes.size(); at += piece)
      write_all(fd, std::string_view(bytes).substr(at, piece));
    ::close(fd);
  });
}

PipedInput::~PipedInput() { ::close(reader_); }

Input PipedInput::open(const StopFlag* stop) const {
  return Input::open("/proc/self/fd/" + std::to_string(reader_), stop);
}

}  // namespace mlq::test
