// A file in memory, whose pages may fail to come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mlq::simigrad {

// Maps all of a file to be read. Where the file is cut or its device fails while it is read, the bytes become
// zeros and good() false, instead of a signal that ends the process: what was read since must be thrown away.
// The first object installs a handler of SIGBUS, which passes on what is not its own. Thread-safe.
class MappedFile {
 public:
  // `fd` may be closed afterwards. Throws an environment Error.
  MappedFile(int fd, uint64_t size, std::string name);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::byte* data() const { return data_; }
  uint64_t size() const { return size_; }
  bool good() const;
  // Says that these bytes are wanted soon. Never fails.
  void will_need(uint64_t offset, uint64_t size) const;
  // The share of the file that is in memory, of some pages that are looked at.
  double cached_share() const;

 private:
  struct Watch;
  std::byte* data_ = nullptr;
  uint64_t size_;
  Watch* watch_ = nullptr;
};

}  // namespace mlq::simigrad
