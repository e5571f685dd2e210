// Many arrivals in little memory: their lines, and what they are sorted by.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "lib/jsonl/buffer.h"
#include "lib/jsonl/object.h"
#include "lib/records/arrival.h"

namespace mlq::arrival {

// Filled, sorted, then read. Not thread-safe.
class PackedArrivals {
 public:
  // Holds at most about `memory_bytes`.
  explicit PackedArrivals(uint64_t memory_bytes) : memory_bytes_(memory_bytes) {}

  // False, and nothing is added, if the memory is used up. The arrival must have its `i`.
  bool add(const records::Arrival& arrival);
  // By (t_ns, i); equal ones keep their order.
  void sort();
  bool next(records::Arrival& arrival);
  uint64_t size() const { return entries_.size(); }

 private:
  struct Entry {
    int64_t t_ns;
    uint64_t i;
    const char* line;
    uint32_t length;
  };

  char* room(size_t length);

  uint64_t memory_bytes_;
  uint64_t used_bytes_ = 0;
  std::deque<Entry> entries_;  // grows without a moment at which there are two of it
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t block_left_ = 0;
  char* block_at_ = nullptr;
  jsonl::Buffer line_;
  jsonl::ObjectParser parser_;
  size_t next_ = 0;
};

}  // namespace mlq::arrival
