// What an encoding that can be resumed has done: beside OUT.part, a line for each tensor that is on disk in
// full.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/quant/encode.h"
#include "lib/tensorfile/posix_file.h"
#include "lib/tensorfile/source.h"

namespace mlq::quant {

// A tensor that is done.
struct FinishedTensor {
  TensorReport report;
  std::string meta;  // its entry of the file's metadata (tensor_meta.h)
  std::vector<uint64_t>
      appended;     // sizes of its planes whose sizes were not known beforehand, in their order
  Digest stored{};  // of all that was written of it
};

// The finished tensors of an encoding in the order of the source, from the first on. Not thread-safe.
class PartJournal {
 public:
  // `fingerprint` is of everything that decides about the bytes of the output. What the journal at `path`
  // says is taken over where it begins with the same; a last line that is cut, and what follows a damaged
  // one, is not. `tensors` are those of the source.
  PartJournal(std::string path, const Digest& fingerprint,
              const std::vector<tensorfile::TensorInfo>& tensors);
  PartJournal(const PartJournal&) = delete;
  PartJournal& operator=(const PartJournal&) = delete;

  const std::vector<FinishedTensor>& finished() const { return finished_; }

  // Begins the file with the first `count` of finished(), which are then all of them. An environment Error
  // where it cannot be written.
  void keep(size_t count);
  // One tensor more. Written with others, at most `kInterval` after the last time, when `sync` has put their
  // bytes on the disk.
  void add(FinishedTensor tensor, const std::function<void()>& sync);
  // Writes what waits. To be called before the part files are left.
  void flush(const std::function<void()>& sync);
  // Nothing is to be resumed any more.
  void remove();

  static constexpr std::chrono::seconds kInterval{2};

 private:
  void write(const std::string& lines);

  std::string path_;
  std::string first_line_;
  std::vector<FinishedTensor> finished_;
  Fd fd_;
  uint64_t size_ = 0;
  std::string waiting_;
  std::chrono::steady_clock::time_point written_ = std::chrono::steady_clock::now();
};

}  // namespace mlq::quant
