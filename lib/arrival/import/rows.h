// Rows with a time and some bytes, put in order of time in bounded memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/jsonl/buffer.h"

namespace mlq::arrival {

// Rows are appended, finish() puts them in order (equal times keep the order they came in), and then they can
// be gone through any number of times. When they fill the memory, they are sorted and written to a temporary
// file without a name, which no way to end the process leaves behind. Not thread-safe.
class RowStore {
 public:
  RowStore(uint64_t memory_bytes, std::string temp_folder);
  RowStore(const RowStore&) = delete;
  RowStore& operator=(const RowStore&) = delete;
  ~RowStore();

  static constexpr size_t kReadBehind = 8;

  // Begins a row: the caller appends its bytes to the buffer, nothing else, and then calls commit() or
  // drop().
  jsonl::Buffer& begin() {
    chunk_->reserve(kHeader);
    start_ = chunk_->size();
    chunk_->advance(kHeader);
    return *chunk_;
  }
  void drop() { chunk_->truncate(start_); }
  // Errors: environment, if the temporary file cannot be written.
  void commit(int64_t time) {
    if (time < last_) ++inversions_;
    last_ = time;
    const auto length = static_cast<uint32_t>(chunk_->size() - start_ - kHeader);
    char* header = chunk_->data() + start_;
    std::memcpy(header, &time, sizeof time);
    std::memcpy(header + sizeof time, &length, sizeof length);
    chunk_->reserve(kReadBehind);
    ++rows_;
    ++rows_in_memory_;
    if (chunk_->size() >= chunk_bytes_) next_chunk();
  }

  // No rows may be added after it.
  void finish();

  uint64_t size() const { return rows_; }
  uint64_t inversions() const { return inversions_; }  // rows with a time less than that of the row before
  int64_t last_time() const { return last_; }          // of the last row added
  size_t runs() const { return runs_.size(); }         // sorted runs in the temporary file

  // Calls visit(time, bytes) for each row, in order; stops when it returns false. kReadBehind bytes may be
  // read behind the row's.
  template <class Visit>
  void for_each(Visit&& visit) const {
    if (!runs_.empty()) {
      const auto merge = start_merge();
      for (Row row; next_merged(*merge, row);) {
        if (!visit(row.time, row.bytes)) return;
      }
      return;
    }
    if (!index_.empty()) {
      for (const IndexEntry& entry : index_) {
        if (!visit(entry.time, read_row(entry.row).bytes)) return;
      }
      return;
    }
    for (const auto& chunk : chunks_) {
      const char* at = chunk->view().data();
      for (const char* end = at + chunk->size(); at != end;) {
        const Row row = read_row(at);
        if (!visit(row.time, row.bytes)) return;
        at = row.bytes.data() + row.bytes.size();
      }
    }
  }

 private:
  static constexpr size_t kHeader = sizeof(int64_t) + sizeof(uint32_t);
  struct Row {
    int64_t time;
    std::string_view bytes;
  };
  struct IndexEntry {
    int64_t time;
    const char* row;
  };
  struct Run {
    uint64_t offset;
    uint64_t bytes;
  };
  class TempFile;
  class Merge;

  static Row read_row(const char* at) {
    Row row;
    uint32_t length;
    std::memcpy(&row.time, at, sizeof row.time);
    std::memcpy(&length, at + sizeof row.time, sizeof length);
    row.bytes = {at + kHeader, length};
    return row;
  }

  void next_chunk();
  void add_chunk();
  bool in_order() const { return inversions_ == inversions_spilled_; }
  void sort();
  void spill();
  std::shared_ptr<Merge> start_merge() const;
  static bool next_merged(Merge& merge, Row& row);

  uint64_t memory_bytes_;
  size_t chunk_bytes_;
  std::string temp_folder_;
  std::vector<std::unique_ptr<jsonl::Buffer>> chunks_;
  jsonl::Buffer* chunk_ = nullptr;  // the last of them
  size_t start_ = 0;                // of the row being written
  uint64_t rows_ = 0;
  uint64_t rows_in_memory_ = 0;
  uint64_t inversions_ = 0;
  uint64_t inversions_spilled_ = 0;  // among the rows in the file
  int64_t last_ = INT64_MIN;
  std::vector<IndexEntry> index_;  // empty if the rows in memory are in order as they lie
  std::unique_ptr<TempFile> file_;
  std::vector<Run> runs_;
};

}  // namespace mlq::arrival
