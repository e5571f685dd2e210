#include "lib/tensorfile/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/folder.h"
#include "lib/base/io.h"

namespace mlq::tensorfile {
namespace {

constexpr size_t kCopyBlock = size_t{1} << 20;

bool goes_on_as_stream(const std::string& path) {
  if (path == "-" || (path.size() > 4 && path.ends_with(".zst"))) return true;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  if (S_ISDIR(info.st_mode)) throw environment_error("{}: is a directory; name a file", path);
  return !S_ISREG(info.st_mode);
}

}  // namespace

PartFile::PartFile(std::string path, bool keep, const std::string& spool_folder)
    : path_(std::move(path)), keep_(keep) {
  if (goes_on_as_stream(path_)) {
    if (keep_) throw usage_error("{}: goes out as a stream, which cannot be resumed; name a file", path_);
    name_ = spool_folder;
    fd_ = open_scratch(spool_folder);
    return;
  }
  target_ = behind_links(path_);
  const std::string part = target_ + ".part";
  name_ = path_ + ".part";
  part_ = part;
  open_part();
}

PartFile::~PartFile() {
  if (!part_.empty() && !keep_) ::unlink(part_.c_str());
}

// Whoever had the part file before may have renamed it between our opening and our locking it; then it is his
// result, and ours is another.
void PartFile::open_part() {
  const std::string part = std::exchange(part_, "");  // not ours to remove before it is locked
  do {
    fd_ = Fd(::open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!fd_) throw environment_error("{}: cannot create: {}", name_, std::strerror(errno));
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      throw usage_error("{}: is being written by another process; wait for it or name another file", name_);
  } while (!is_still(part));
  part_ = part;
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    part_.clear();
    throw environment_error("{}: is no regular file; remove it or name another file", name_);
  }
  if (!keep_) resize(0);
  kept_bytes_ = keep_ ? static_cast<uint64_t>(info.st_size) : 0;
  struct stat old {};
  if (::stat(target_.c_str(), &old) == 0) ::fchmod(fd_.get(), old.st_mode & 07777);
}

bool PartFile::is_still(const std::string& part) const {
  struct stat ours {};
  struct stat there {};
  return ::fstat(fd_.get(), &ours) == 0 && ::lstat(part.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

void PartFile::resize(uint64_t size) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
    throw environment_error("{}: cannot write: {}", name_, std::strerror(errno));
}

void PartFile::publish(uint64_t size) {
  if (target_.empty()) return send(size);
  if (::rename(part_.c_str(), target_.c_str()) != 0)
    throw environment_error("{}: cannot be put in its place: {}", path_, std::strerror(errno));
  part_.clear();
  sync_folder(folder_of(target_));
}

void PartFile::send(uint64_t size) {
  Output output = Output::open(path_);
  std::vector<char> block(static_cast<size_t>(std::min<uint64_t>(size, kCopyBlock)));
  for (uint64_t at = 0; at < size;) {
    const std::span part =
        std::span(block).first(static_cast<size_t>(std::min<uint64_t>(size - at, block.size())));
    read(at, std::as_writable_bytes(part));
    output.write({part.data(), part.size()});
    at += part.size();
  }
  output.close();
}

}  // namespace mlq::tensorfile
