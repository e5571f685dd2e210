// Bytes that are kept for later: in memory while they are few, then in a file without a name.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace mlq::quant {

// Not thread-safe. Errors: environment Error where the file cannot be made, written or read.
class Spool {
 public:
  explicit Spool(std::string folder) : folder_(std::move(folder)) {}
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool();

  void add(std::span<const std::byte> bytes);
  uint64_t size() const { return size_; }
  // Hands all of it out, from the beginning, in pieces.
  void each(const std::function<void(std::span<const std::byte>)>& take) const;

 private:
  void flush();
  std::string folder_;
  int fd_ = -1;
  uint64_t size_ = 0;
  std::vector<std::byte> held_;
};

}  // namespace mlq::quant
