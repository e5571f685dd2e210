// Files that are read at any place, by several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "lib/base/io.h"

namespace mlq::tensorfile {

// Bytes of a known number. All calls are thread-safe.
class ByteFile {
 public:
  virtual ~ByteFile() = default;
  // For messages.
  virtual const std::string& name() const = 0;
  virtual uint64_t size() const = 0;
  // Fills `out` with the bytes from `offset` on. Throws an environment Error, with file and offset, where the
  // device fails, and an input Error where the file ends too early.
  virtual void read(uint64_t offset, std::span<std::byte> out) const = 0;
  // Says that these bytes are wanted soon. Never fails.
  virtual void will_need(uint64_t /*offset*/, uint64_t /*size*/) const {}
  // Of the file, owned by it, for whoever maps it; -1 where there is none.
  virtual int descriptor() const { return -1; }
  // Throws an input Error if size or time of modification are not what they were when it was opened.
  virtual void check_unchanged() const {}
  // Differs once the file has another content, as far as size and time of modification tell; empty if
  // these bytes will not be there for another process.
  virtual std::string version() const { return {}; }
};

// A regular file, read by pread and never mapped. Throws an environment Error if it cannot be opened and an
// input Error if it is anything but a regular file.
std::unique_ptr<ByteFile> open_byte_file(const std::string& path);

// All of `input`, in a file without a name in `folder` that goes with the object. Throws an environment Error
// where that does not fit on the disk.
std::unique_ptr<ByteFile> spool(Input input, const std::string& folder);

}  // namespace mlq::tensorfile
