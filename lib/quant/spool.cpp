#include "lib/quant/spool.h"

#include <algorithm>

namespace mlq::quant {
namespace {

constexpr size_t kHeld = size_t{4} << 20;

}  // namespace

Spool::Spool(const std::string& folder) : folder_(folder), name_("a temporary file in " + folder) {}

void Spool::add(std::span<const std::byte> bytes) {
  held_.insert(held_.end(), bytes.begin(), bytes.end());
  if (held_.size() > kHeld) flush();
}

void Spool::flush() {
  if (!fd_) fd_ = tensorfile::open_scratch(folder_);
  tensorfile::write_fully(fd_.get(), name_, written_, held_);
  written_ += held_.size();
  held_.clear();
}

void Spool::each(const std::function<void(std::span<const std::byte>)>& take) const {
  std::vector<std::byte> buffer;
  for (uint64_t at = 0; at < written_; at += buffer.size()) {
    buffer.resize(std::min<uint64_t>(written_ - at, kHeld));
    tensorfile::read_fully(fd_.get(), name_, at, buffer);
    take(buffer);
  }
  take(held_);
}

}  // namespace mlq::quant
