#include "lib/tensorfile/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "lib/base/error.h"

namespace mlq::tensorfile {

void read_fully(int fd, const std::string& name, uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t n = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw environment_error("{}: cannot read at byte {}: {}", name, offset, std::strerror(errno));
    if (n == 0)
      throw input_error("{}: ends at byte {}, before its time; it was cut while it was read", name, offset);
    out = out.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
}

void write_fully(int fd, const std::string& name, uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw environment_error("{}: cannot write at byte {}: {}", name, offset, std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
}

// posix_fallocate would write a byte into each block where the file system cannot do it, for hours if it is
// large.
void reserve_space(int fd, const std::string& name, uint64_t size) {
  if (size == 0) return;
  int result = 0;
  do {
    result = ::fallocate(fd, 0, 0, static_cast<off_t>(size));
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EOPNOTSUPP) {
    struct stat status {};
    const bool large = ::fstat(fd, &status) == 0 && static_cast<uint64_t>(status.st_size) >= size;
    result = large ? 0 : ::ftruncate(fd, static_cast<off_t>(size));
  }
  if (result == 0) return;
  throw environment_error("{}: there is no room for its {} bytes: {}", name, size, std::strerror(errno));
}

void sync_file(int fd, const std::string& name) {
  if (::fsync(fd) != 0) throw environment_error("{}: cannot write: {}", name, std::strerror(errno));
}

Fd open_scratch(const std::string& folder) {
  Fd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  std::string name = folder + "/mlq.XXXXXX";  // where the file system has no nameless files
  fd = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd)
    throw environment_error("{}: cannot make a temporary file there: {}", folder, std::strerror(errno));
  ::unlink(name.c_str());
  return fd;
}

}  // namespace mlq::tensorfile
