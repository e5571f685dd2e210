// A file that is written at any place and appears whole or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "lib/tensorfile/posix_file.h"

namespace mlq::tensorfile {

// PATH.part until publish() renames it to PATH; a nameless file in `spool_folder` where PATH is a stream (see
// SafetensorsSink). read and write are thread-safe. Throws an environment Error for what the disk refuses,
// and a usage Error where another process writes the same file.
class PartFile {
 public:
  // `keep`: what is in a part file that is there stays, and so does the file if it is not published. A usage
  // Error for a stream.
  PartFile(std::string path, bool keep, const std::string& spool_folder);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();

  // publish() writes it once more, to where it goes on as a stream, and may fail half-way.
  bool is_stream() const { return target_.empty(); }
  // Bytes that were there at the start.
  uint64_t kept_bytes() const { return kept_bytes_; }
  void reserve(uint64_t size) { reserve_space(fd_.get(), name_, size); }
  void write(uint64_t offset, std::span<const std::byte> bytes) {
    write_fully(fd_.get(), name_, offset, bytes);
  }
  void read(uint64_t offset, std::span<std::byte> out) const { read_fully(fd_.get(), name_, offset, out); }
  void sync() { sync_file(fd_.get(), name_); }
  // Cuts what is behind.
  void resize(uint64_t size);
  // The `size` bytes of the file take their place or go their way. The file must be on disk.
  void publish(uint64_t size);

 private:
  void open_part();
  bool is_still(const std::string& part) const;
  void send(uint64_t size);

  std::string path_;    // as given
  std::string target_;  // behind symbolic links; empty for streams
  std::string part_;    // what is to be removed; empty for streams, and after publish()
  std::string name_;    // of what is written, for messages
  bool keep_;
  Fd fd_;
  uint64_t kept_bytes_ = 0;
};

}  // namespace mlq::tensorfile
