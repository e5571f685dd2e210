#include "lib/arrival/import/rows.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <queue>

#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

constexpr size_t kLargestChunk = size_t{4} << 20;
constexpr size_t kSmallestChunk = size_t{4} << 10;
constexpr size_t kChunkSlack = size_t{64} << 10;  // room for the row that fills a chunk
constexpr size_t kFileBuffer = size_t{256} << 10;
constexpr uint64_t kSortBytesPerRow = 24;  // the index, and half of it again while it is sorted

}  // namespace

// A file that has no name: nothing to remove, however the process ends.
class RowStore::TempFile {
 public:
  explicit TempFile(const std::string& folder) : folder_(folder) {
    fd_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ >= 0) return;
    std::string name = folder + "/mlq-rows.XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd_ < 0) fail("make a temporary file");
    ::unlink(name.c_str());
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() { ::close(fd_); }

  uint64_t size() const { return size_; }
  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("write a temporary file");
      size_ += static_cast<uint64_t>(n);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void read(char* out, size_t size, uint64_t offset) const {
    while (size > 0) {
      const ssize_t n = ::pread(fd_, out, size, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) fail("read a temporary file");
      out += n;
      offset += static_cast<uint64_t>(n);
      size -= static_cast<size_t>(n);
    }
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw environment_error("{}: cannot {} for sorting: {} (more --memory avoids it)", folder_, what,
                            std::strerror(errno));
  }
  std::string folder_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

// Merges the sorted runs; of equal times the earlier run goes first.
class RowStore::Merge {
 public:
  Merge(const TempFile& file, const std::vector<Run>& runs) {
    readers_.reserve(runs.size());
    for (size_t r = 0; r < runs.size(); ++r) {
      readers_.emplace_back(file, runs[r]);
      push(r);
    }
  }
  bool next(Row& row) {
    if (current_ != kNone) push(current_);  // only now may its row be overwritten
    if (heap_.empty()) return false;
    current_ = heap_.top().run;
    heap_.pop();
    row = readers_[current_].row;
    return true;
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  struct Reader {
    Reader(const TempFile& from, Run run) : file(&from), at(run.offset), end(run.offset + run.bytes) {}
    bool next() {
      if (!have(kHeader)) return false;
      const size_t whole = kHeader + length_at(begin);
      have(whole);
      row = read_row(buffer.data() + begin);
      begin += whole;
      return true;
    }
    uint32_t length_at(size_t place) const {
      uint32_t length;
      std::memcpy(&length, buffer.data() + place + sizeof(int64_t), sizeof length);
      return length;
    }
    // Makes `bytes` of the run lie in the buffer; false at its end.
    bool have(size_t bytes) {
      if (held - begin >= bytes) return true;
      if (held > begin) std::memmove(buffer.data(), buffer.data() + begin, held - begin);
      held -= begin;
      begin = 0;
      const uint64_t room = std::max(bytes, kFileBuffer) - held;
      const auto more = static_cast<size_t>(std::min(end - at, room));
      if (buffer.size() < held + more + kReadBehind) buffer.resize(held + more + kReadBehind);
      file->read(buffer.data() + held, more, at);
      held += more;
      at += more;
      return held >= bytes;
    }

    const TempFile* file;
    uint64_t at, end;
    std::vector<char> buffer;
    size_t begin = 0;  // of what is not read yet
    size_t held = 0;   // where it ends
    Row row{};
  };
  struct Head {
    int64_t time;
    size_t run;
    bool operator<(const Head& other) const {  // std::priority_queue has the largest on top
      return time != other.time ? time > other.time : run > other.run;
    }
  };
  void push(size_t run) {
    if (readers_[run].next()) heap_.push({readers_[run].row.time, run});
  }

  std::vector<Reader> readers_;
  std::priority_queue<Head> heap_;
  size_t current_ = kNone;
};

RowStore::RowStore(uint64_t memory_bytes, std::string temp_folder)
    : memory_bytes_(memory_bytes),
      chunk_bytes_(
          static_cast<size_t>(std::clamp<uint64_t>(memory_bytes / 4, kSmallestChunk, kLargestChunk))),
      temp_folder_(std::move(temp_folder)) {
  add_chunk();
}

RowStore::~RowStore() = default;

void RowStore::add_chunk() {
  chunk_ = chunks_.emplace_back(std::make_unique<jsonl::Buffer>()).get();
  chunk_->reserve(chunk_bytes_ + kChunkSlack);
}

void RowStore::next_chunk() {
  uint64_t used = rows_in_memory_ * (in_order() ? 0 : kSortBytesPerRow);
  for (const auto& chunk : chunks_) used += chunk->size();
  if (used + chunk_bytes_ > memory_bytes_) spill();
  add_chunk();
}

void RowStore::sort() {
  index_.reserve(rows_in_memory_);
  for (const auto& chunk : chunks_) {
    const char* at = chunk->view().data();
    for (const char* end = at + chunk->size(); at != end;) {
      const Row row = read_row(at);
      index_.push_back({row.time, at});
      at = row.bytes.data() + row.bytes.size();
    }
  }
  std::stable_sort(index_.begin(), index_.end(),
                   [](const IndexEntry& a, const IndexEntry& b) { return a.time < b.time; });
}

// Writes the rows in memory as one sorted run.
void RowStore::spill() {
  if (!file_) file_ = std::make_unique<TempFile>(temp_folder_);
  const uint64_t offset = file_->size();
  if (in_order()) {
    for (const auto& chunk : chunks_) file_->append(chunk->view());
  } else {
    sort();
    jsonl::Buffer out;
    for (const IndexEntry& entry : index_) {
      out.raw({entry.row, kHeader + read_row(entry.row).bytes.size()});
      if (out.size() < kFileBuffer) continue;
      file_->append(out.view());
      out.clear();
    }
    file_->append(out.view());
  }
  runs_.push_back({offset, file_->size() - offset});
  index_.clear();
  chunks_.clear();
  rows_in_memory_ = 0;
  inversions_spilled_ = inversions_;
}

void RowStore::finish() {
  if (!runs_.empty()) {
    spill();
  } else if (!in_order()) {
    sort();
  }
}

std::shared_ptr<RowStore::Merge> RowStore::start_merge() const {
  return std::make_shared<Merge>(*file_, runs_);
}

bool RowStore::next_merged(Merge& merge, Row& row) { return merge.next(row); }

}  // namespace mlq::arrival
