#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/folder.h"
#include "lib/base/io.h"

namespace mlq {

struct Output::State {
  std::string name;
  int fd = -1;
  bool atomic = false;    // written beside `target`, moved there by close()
  std::string target;     // atomic only
  std::string temporary;  // the name beside it; empty while the file has no name (O_TMPFILE)
  bool open = true;

  struct FreeZstd {
    void operator()(ZSTD_CStream* s) const { ZSTD_freeCStream(s); }
  };
  std::unique_ptr<ZSTD_CStream, FreeZstd> zstd;
  std::vector<char> packed;

  ~State() {
    if (fd > STDERR_FILENO) ::close(fd);
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }

  void write_fd(const char* data, size_t size) {
    while (size > 0) {
      const ssize_t n = ::write(fd, data, size);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EPIPE) throw ClosedPipe();
      if (n < 0) throw environment_error("{}: cannot write: {}", name, std::strerror(errno));
      data += n;
      size -= static_cast<size_t>(n);
    }
  }

  void write_zstd(std::string_view bytes, ZSTD_EndDirective mode) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    size_t left = 0;
    do {
      ZSTD_outBuffer out{packed.data(), packed.size(), 0};
      left = ZSTD_compressStream2(zstd.get(), &out, &in, mode);
      if (ZSTD_isError(left)) throw environment_error("{}: zstd: {}", name, ZSTD_getErrorName(left));
      write_fd(packed.data(), out.pos);
    } while (in.pos < in.size || (mode != ZSTD_e_continue && left != 0));
  }

  // A file without a name leaves nothing behind, whatever kills the process; where the file system has none,
  // a name.
  void open_temporary() {
    fd = ::open(folder_of(target).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (fd >= 0) return;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) fail_open();
    std::string name_template = target + ".XXXXXX";
    fd = ::mkostemp(name_template.data(), O_CLOEXEC);
    if (fd < 0) fail_open();
    temporary = name_template;
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd, 0666 & ~mask);
  }

  [[noreturn]] void fail_open() const {
    throw environment_error("{}: cannot create: {}", name, std::strerror(errno));
  }

  void give_name() {
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    for (int attempt = 0; attempt < 100; ++attempt) {
      temporary = target + "." + std::to_string(::getpid()) + "." + std::to_string(attempt) + ".tmp";
      if (::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0) return;
      if (errno != EEXIST) break;
    }
    temporary.clear();
    fail_open();
  }

  void move_into_place() {
    if (::fsync(fd) != 0) throw environment_error("{}: cannot write: {}", name, std::strerror(errno));
    if (temporary.empty()) give_name();
    if (::rename(temporary.c_str(), target.c_str()) != 0) fail_open();
    temporary.clear();
    sync_folder(folder_of(target));
  }
};

Output::Output(std::unique_ptr<State> state) : state_(std::move(state)) {}
Output::Output(Output&&) noexcept = default;
Output& Output::operator=(Output&&) noexcept = default;
Output::~Output() = default;

Output Output::open(const std::string& path) {
  auto state = std::make_unique<State>();
  if (path == "-") {
    state->name = "standard output";
    state->fd = STDOUT_FILENO;
  } else {
    state->name = path;
    struct stat info {};
    const bool exists = ::stat(path.c_str(), &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) throw environment_error("{}: is a directory; name a file", path);
    if (exists && !S_ISREG(info.st_mode)) {  // a device or a FIFO has no whole to protect
      state->fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (state->fd < 0) state->fail_open();
    } else {
      state->atomic = true;
      state->target = exists ? behind_links(path) : path;
      state->open_temporary();
      if (exists) ::fchmod(state->fd, info.st_mode & 07777);
    }
  }
  if (path.size() > 4 && path.ends_with(".zst")) {
    state->zstd.reset(ZSTD_createCStream());
    state->packed.resize(ZSTD_CStreamOutSize());
    ZSTD_CCtx_setParameter(state->zstd.get(), ZSTD_c_checksumFlag, 1);
  }
  return Output(std::move(state));
}

void Output::write(std::string_view bytes) {
  if (state_->zstd) {
    state_->write_zstd(bytes, ZSTD_e_continue);
  } else {
    state_->write_fd(bytes.data(), bytes.size());
  }
}

void Output::flush() {
  if (state_->zstd) state_->write_zstd({}, ZSTD_e_flush);
}

void Output::close() {
  State& s = *state_;
  if (!s.open) return;
  s.open = false;
  if (s.zstd) s.write_zstd({}, ZSTD_e_end);
  if (s.atomic) s.move_into_place();
}

const std::string& Output::name() const { return state_->name; }
bool Output::replaces_file() const { return state_->atomic; }

}  // namespace mlq
