#include "lib/tensorfile/byte_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "lib/base/error.h"
#include "lib/tensorfile/posix_file.h"

namespace mlq::tensorfile {
namespace {

constexpr size_t kSpoolBlock = size_t{1} << 20;

struct stat status_of(int fd, const std::string& name) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw environment_error("{}: cannot read: {}", name, std::strerror(errno));
  return status;
}

bool same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

class DiskFile : public ByteFile {
 public:
  DiskFile(std::string name, Fd fd)
      : name_(std::move(name)), fd_(std::move(fd)), opened_(status_of(fd_.get(), name_)) {
    ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);  // larger reads ahead
  }
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return static_cast<uint64_t>(opened_.st_size); }
  void read(uint64_t offset, std::span<std::byte> out) const override {
    read_fully(fd_.get(), name_, offset, out);
  }
  void will_need(uint64_t offset, uint64_t size) const override {
    if (size > 0)  // 0 would be the whole file
      ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_WILLNEED);
  }
  int descriptor() const override { return fd_.get(); }
  void check_unchanged() const override {
    const struct stat now = status_of(fd_.get(), name_);
    if (now.st_size != opened_.st_size || !same(now.st_mtim, opened_.st_mtim))
      throw input_error("{}: was changed while it was read; run again when nobody writes to it", name_);
  }
  std::string version() const override {
    return fmt::format("{} bytes of {}.{:09}", opened_.st_size, opened_.st_mtim.tv_sec,
                       opened_.st_mtim.tv_nsec);
  }

 private:
  std::string name_;
  Fd fd_;
  struct stat opened_;
};

// Gone with this process.
class Spooled final : public DiskFile {
 public:
  using DiskFile::DiskFile;
  std::string version() const override { return {}; }
};

}  // namespace

std::unique_ptr<ByteFile> open_byte_file(const std::string& path) {
  // Without O_NONBLOCK a FIFO would wait for its writer.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw environment_error("{}: cannot open: {}", path, std::strerror(errno));
  if (!S_ISREG(status_of(fd.get(), path).st_mode)) throw input_error("{}: is no regular file", path);
  return std::make_unique<DiskFile>(path, std::move(fd));
}

std::unique_ptr<ByteFile> spool(Input input, const std::string& folder) {
  Fd fd = open_scratch(folder);
  std::vector<char> block(kSpoolBlock);
  uint64_t size = 0;
  while (const size_t n = input.read(block.data(), block.size())) {
    write_fully(fd.get(), folder, size, std::as_bytes(std::span(block).first(n)));
    size += n;
  }
  if (input.interrupted()) throw input_error("{}: reading was interrupted", input.name());
  return std::make_unique<Spooled>(input.name(), std::move(fd));
}

}  // namespace mlq::tensorfile
