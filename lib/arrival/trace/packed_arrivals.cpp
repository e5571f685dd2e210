#include "lib/arrival/trace/packed_arrivals.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "lib/jsonl/line_reader.h"
#include "lib/records/codec.h"

namespace mlq::arrival {
namespace {

constexpr size_t kBlock = size_t{1} << 20;

}  // namespace

// Space for a line, with what the parser may read behind it.
char* PackedArrivals::room(size_t length) {
  if (block_left_ < length + jsonl::kLinePadding) {
    block_left_ = std::max(kBlock, length + jsonl::kLinePadding);
    blocks_.push_back(std::make_unique<char[]>(block_left_));
    block_at_ = blocks_.back().get();
  }
  char* at = block_at_;
  block_at_ += length;
  block_left_ -= length;
  return at;
}

bool PackedArrivals::add(const records::Arrival& arrival) {
  line_.clear();
  records::write_record(line_, arrival);
  used_bytes_ += line_.size() + sizeof(Entry);
  if (used_bytes_ > memory_bytes_) return false;
  char* at = room(line_.size());
  std::memcpy(at, line_.view().data(), line_.size());
  entries_.push_back({arrival.t_ns, *arrival.i, at, static_cast<uint32_t>(line_.size())});
  return true;
}

void PackedArrivals::sort() {
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.t_ns != b.t_ns ? a.t_ns < b.t_ns : a.i < b.i;
  });
}

bool PackedArrivals::next(records::Arrival& arrival) {
  if (next_ == entries_.size()) return false;
  const Entry& entry = entries_[next_++];
  arrival = records::Arrival();
  if (!parser_.parse({entry.line, entry.length}) || !records::read_record(parser_.members(), arrival).ok) {
    throw std::logic_error("an arrival that was written cannot be read back");
  }
  return true;
}

}  // namespace mlq::arrival
