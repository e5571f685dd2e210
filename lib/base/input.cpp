#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/spawn.h"

namespace mlq {
namespace {

constexpr size_t kMagicBytes = 6;

bool starts_with_bytes(std::string_view head, std::string_view magic) {
  return head.substr(0, magic.size()) == magic;
}

// A pipe whose ends no child inherits by accident.
struct Pipe {
  Fd reader, writer;
  static Pipe make(const std::string& name) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      throw environment_error("{}: cannot make a pipe: {}", name, std::strerror(errno));
    }
    return {Fd(ends[0]), Fd(ends[1])};
  }
};

// Waits until `from` has bytes or is at its end; false if the other side of `quit` was closed meanwhile.
bool wait_for_bytes(int from, int quit) {
  pollfd ends[] = {{from, POLLIN, 0}, {quit, 0, 0}};
  while (::poll(ends, 2, -1) < 0 && errno == EINTR) {
  }
  return ends[1].revents == 0;
}

// Whether a read would not block, after a tenth of a second at most: the stop flag may be set by another
// thread, and a signal interrupt another.
bool is_ready(int fd) {
  pollfd end{fd, POLLIN, 0};
  return ::poll(&end, 1, 100) > 0;
}

// Feeds `head` and then the rest of `from` to `to`; runs on a thread beside the decompressor.
void feed(const std::string& head, int from, Fd to, Fd quit) {
  sigset_t all;
  sigfillset(&all);  // SIGPIPE becomes an error here, and stop requests go to those who read
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::vector<char> buffer(head.begin(), head.end());
  ssize_t n = static_cast<ssize_t>(buffer.size());
  buffer.resize(std::max<size_t>(buffer.size(), 1 << 16));
  while (n > 0) {
    for (ssize_t done = 0; done < n;) {
      const ssize_t w = ::write(to.get(), buffer.data() + done, static_cast<size_t>(n - done));
      if (w < 0) return;  // the child has gone; its exit status tells
      done += w;
    }
    if (!wait_for_bytes(from, quit.get())) return;
    n = ::read(from, buffer.data(), buffer.size());
  }
}

// `program -dc` from `in` to `out`; returns its process.
pid_t spawn_decompressor(const std::string& name, const char* program, int in, int out) {
  const Spawned child = spawn({program, "-dc"}, {in, out, -1});
  if (child.error != 0) {
    throw environment_error("{}: cannot run {}: {}; install it or decompress the file first", name, program,
                            std::strerror(child.error));
  }
  return child.pid;
}

// `program trace >> trace` would read what it writes, without end.
void refuse_own_output(const std::string& name, int fd) {
  struct stat in {};
  struct stat out {};
  const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
  if (flags < 0 || (flags & O_APPEND) == 0 || ::fstat(fd, &in) != 0 || ::fstat(STDOUT_FILENO, &out) != 0)
    return;
  if (S_ISREG(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
    throw environment_error("{}: is the input and the output; write to another file, or use -o", name);
  }
}

}  // namespace

struct Input::State {
  std::string name;
  Fd fd;
  const StopFlag* stop = nullptr;
  bool interrupted = false;
  bool ended = false;
  std::string head;  // bytes read to recognise the compression, not handed out yet
  std::function<size_t(char*, size_t)> source_read;  // instead of `fd`

  struct FreeZstd {
    void operator()(ZSTD_DStream* s) const { ZSTD_freeDStream(s); }
  };
  std::unique_ptr<ZSTD_DStream, FreeZstd> zstd;
  std::vector<char> packed;
  ZSTD_inBuffer packed_in{nullptr, 0, 0};
  size_t frame_left = 0;  // what zstd wants to end its frame; 0 between frames

  pid_t child = -1;
  const char* child_program = "";
  Fd source;  // what the feeder reads
  Fd quit;    // closed to end the feeder
  std::jthread feeder;

  ~State() {
    fd.reset();  // closes the pipe first, so that child and feeder end
    quit.reset();
    if (feeder.joinable()) feeder.join();
    if (child > 0) ::waitpid(child, nullptr, 0);
  }

  size_t read_fd(char* out, size_t size) {
    if (!head.empty()) {
      const size_t n = std::min(size, head.size());
      std::memcpy(out, head.data(), n);
      head.erase(0, n);
      return n;
    }
    for (;;) {
      if (stop != nullptr && *stop) {
        interrupted = true;
        return 0;
      }
      if (source_read) {
        const size_t n = source_read(out, size);
        interrupted = n == 0 && stop != nullptr && *stop;
        return n;
      }
      if (stop != nullptr && !is_ready(fd.get())) continue;
      const ssize_t n = ::read(fd.get(), out, size);
      if (n >= 0) return static_cast<size_t>(n);
      if (errno == EISDIR) throw environment_error("{}: is a directory; name a file", name);
      if (errno != EINTR) throw environment_error("{}: cannot read: {}", name, std::strerror(errno));
    }
  }

  void read_head() {
    char buffer[kMagicBytes];
    std::string bytes;
    while (bytes.size() < kMagicBytes) {
      const size_t n = read_fd(buffer, kMagicBytes - bytes.size());
      if (n == 0) break;
      bytes.append(buffer, n);
    }
    head = std::move(bytes);
  }

  void start_zstd() {
    zstd.reset(ZSTD_createDStream());
    packed.resize(ZSTD_DStreamInSize());
  }

  void start_child(const char* program) {
    Pipe to_child = Pipe::make(name);
    Pipe from_child = Pipe::make(name);
    Pipe quitting = Pipe::make(name);
    child = spawn_decompressor(name, program, to_child.reader.get(), from_child.writer.get());
    child_program = program;
    source = std::exchange(fd, std::move(from_child.reader));
    quit = std::move(quitting.writer);
    feeder = std::jthread(
        [bytes = std::exchange(head, {}), from = source.get(), to = std::move(to_child.writer),
         end = std::move(quitting.reader)]() mutable { feed(bytes, from, std::move(to), std::move(end)); });
  }

  void end_child() {
    int status = 0;
    ::waitpid(std::exchange(child, -1), &status, 0);
    if (stop != nullptr && *stop) {  // a signal from the keyboard ends the child too
      interrupted = true;
      return;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      throw input_error("{}: {} -dc failed; the compressed data is damaged or cut", name, child_program);
    }
  }

  size_t read_zstd(char* out, size_t size) {
    ZSTD_outBuffer to{out, size, 0};
    while (to.pos == 0) {
      if (packed_in.pos == packed_in.size) {
        const size_t n = read_fd(packed.data(), packed.size());
        if (n == 0) {
          if (frame_left != 0 && !interrupted) throw input_error("{}: the zstd data is cut", name);
          return 0;
        }
        packed_in = {packed.data(), n, 0};
      }
      frame_left = ZSTD_decompressStream(zstd.get(), &to, &packed_in);
      if (ZSTD_isError(frame_left)) {
        throw input_error("{}: the zstd data is damaged: {}", name, ZSTD_getErrorName(frame_left));
      }
    }
    return to.pos;
  }
};

Input::Input(std::unique_ptr<State> state) : state_(std::move(state)) {}
Input::Input(Input&&) noexcept = default;
Input& Input::operator=(Input&&) noexcept = default;
Input::~Input() = default;

Input Input::open(const std::string& path, const StopFlag* stop) {
  auto state = std::make_unique<State>();
  state->stop = stop;
  if (path == "-") {
    state->name = "standard input";
    state->fd = Fd(STDIN_FILENO);
  } else {
    state->name = path;
    state->fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (state->fd.get() < 0) throw environment_error("{}: cannot open: {}", path, std::strerror(errno));
  }
  refuse_own_output(state->name, state->fd.get());
  state->read_head();
  if (starts_with_bytes(state->head, "\x28\xB5\x2F\xFD")) state->start_zstd();
  if (starts_with_bytes(state->head, "\x1F\x8B")) state->start_child("gzip");
  if (starts_with_bytes(state->head, std::string_view("\xFD\x37zXZ\0", 6))) state->start_child("xz");
  return Input(std::move(state));
}

Input Input::from_source(std::string name, std::function<size_t(char*, size_t)> read, const StopFlag* stop) {
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->source_read = std::move(read);
  state->stop = stop;
  return Input(std::move(state));
}

Input Input::from_bytes(std::string name, std::string_view bytes) {
  return from_source(std::move(name), [bytes](char* out, size_t size) mutable {
    const size_t n = std::min(size, bytes.size());
    std::copy_n(bytes.data(), n, out);
    bytes.remove_prefix(n);
    return n;
  });
}

size_t Input::read(char* out, size_t size) {
  State& s = *state_;
  if (size == 0 || s.ended) return 0;
  const size_t n = s.zstd ? s.read_zstd(out, size) : s.read_fd(out, size);
  if (n == 0) {
    s.ended = true;
    if (s.child > 0 && !s.interrupted) s.end_child();
  }
  return n;
}

const std::string& Input::name() const { return state_->name; }
bool Input::interrupted() const { return state_->interrupted; }

std::string read_file(const std::string& path, size_t limit) {
  Input input = Input::open(path);
  std::string text;
  constexpr size_t kStep = 1 << 16;
  for (;;) {
    const size_t had = text.size();
    text.resize(had + kStep);
    const size_t n = input.read(text.data() + had, kStep);
    text.resize(had + n);
    if (n == 0) return text;
    if (text.size() > limit)
      throw input_error("{}: larger than {} bytes; is it the right file?", path, limit);
  }
}

}  // namespace mlq
