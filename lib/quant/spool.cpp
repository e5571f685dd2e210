#include "lib/quant/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/base/error.h"

namespace mlq::quant {
namespace {

constexpr size_t kHeld = size_t{4} << 20;

}  // namespace

Spool::~Spool() {
  if (fd_ >= 0) ::close(fd_);
}

void Spool::add(std::span<const std::byte> bytes) {
  held_.insert(held_.end(), bytes.begin(), bytes.end());
  size_ += bytes.size();
  if (held_.size() > kHeld) flush();
}

void Spool::flush() {
  if (fd_ < 0) {
    std::string name = folder_ + "/mlq-spool-XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd_ < 0)
      throw environment_error("{}: cannot make a temporary file: {}", folder_, std::strerror(errno));
    ::unlink(name.c_str());
  }
  for (size_t at = 0; at < held_.size();) {
    const ssize_t n = ::write(fd_, held_.data() + at, held_.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw environment_error("{}: cannot write a temporary file: {}", folder_, std::strerror(errno));
    at += static_cast<size_t>(n);
  }
  held_.clear();
}

void Spool::each(const std::function<void(std::span<const std::byte>)>& take) const {
  std::vector<std::byte> buffer(std::min<uint64_t>(size_ - held_.size(), kHeld));
  for (uint64_t at = 0; at < size_ - held_.size();) {
    const ssize_t n = ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw environment_error("{}: cannot read a temporary file: {}", folder_, std::strerror(errno));
    take(std::span(buffer).first(static_cast<size_t>(n)));
    at += static_cast<uint64_t>(n);
  }
  take(held_);
}

}  // namespace mlq::quant
