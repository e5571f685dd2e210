// Bytes that are kept for later: in memory while they are few, then in a file without a name.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lib/tensorfile/posix_file.h"

namespace mlq::quant {

// Not thread-safe. Errors: environment Error where the file cannot be made, written or read.
class Spool {
 public:
  explicit Spool(const std::string& folder);

  void add(std::span<const std::byte> bytes);
  // Hands all of it out, from the beginning, in pieces.
  void each(const std::function<void(std::span<const std::byte>)>& take) const;

 private:
  void flush();
  std::string folder_, name_;  // name_: for messages
  Fd fd_;                      // once there is much
  uint64_t written_ = 0;
  std::vector<std::byte> held_;
};

}  // namespace mlq::quant
