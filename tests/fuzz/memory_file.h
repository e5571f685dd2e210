// Bytes in memory as a file of tensors.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "lib/tensorfile/byte_file.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {

// Claims that nothing outside the file is asked for.
class MemoryFile final : public tensorfile::ByteFile {
 public:
  explicit MemoryFile(std::string_view bytes) : bytes_(bytes) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, std::span<std::byte> out) const override {
    MLQ_FUZZ_CLAIM(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
    std::copy_n(std::as_bytes(std::span(bytes_)).begin() + static_cast<ptrdiff_t>(offset), out.size(),
                out.begin());
  }

 private:
  std::string name_ = "f";
  std::string bytes_;
};

}  // namespace mlq::fuzz
