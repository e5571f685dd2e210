// The elements of a step's tensors, some blocks at a time, from all groups.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/simigrad/dump/step.h"
#include "lib/simigrad/stream/mapped_file.h"

namespace mlq::simigrad {

// How files are read: through the page cache by read() or by mapping them, or past it (O_DIRECT). `automatic`
// is read(), but past the cache for files that are large and not in it, to leave it to the trainer. Pieces
// that fit the processor's cache make read() faster than a mapping, whose pages must be put in place one by
// one (tests/bench/simigrad_measure).
enum class Io : uint8_t { automatic, mmap, read, direct };

// Elements of one leaf, from `first` on; whole blocks but for the leaf's end.
struct ElementRange {
  size_t leaf = 0;
  uint64_t first = 0;
  uint64_t elems = 0;
};

// Memory for windows that are not mapped. One a thread.
class WindowBuffer {
 public:
  // Room of `bytes` for each of `groups`, aligned to a page. Memory is taken when it is first used.
  WindowBuffer(unsigned groups, uint64_t bytes);
  std::span<std::byte> of_group(unsigned group);

 private:
  struct Free {
    void operator()(std::byte* at) const;
  };
  uint64_t bytes_;
  unsigned groups_;
  std::unique_ptr<std::byte, Free> memory_;
};

// Thread-safe. Tensors whose elements do not lie one after another are gathered from a mapping, in the order
// of their indices, whatever `io` says.
class WindowReader {
 public:
  // `step` must outlive it. Throws an environment Error where a file cannot be opened in that way.
  WindowReader(const Step& step, Io io);
  ~WindowReader();

  // Points `data` (one a group) at the window's elements: in `buffer`, until it is used again, or in a
  // mapping. Throws an environment Error, with the file, where one has become shorter or cannot be read.
  void read(const ElementRange& window, WindowBuffer& buffer, std::span<const void*> data) const;
  // To be called when the elements of a window have been used: throws an environment Error if a file had
  // become shorter or failed by then, so that they were not the file's.
  void check(const ElementRange& window) const;
  // Bytes that a window of so many bytes may take in a buffer.
  static uint64_t buffer_bytes(uint64_t window_bytes);
  // If any file is read past the cache.
  bool direct() const;
  // Bytes of a group that are best read at a time.
  uint64_t request_bytes() const;

 private:
  struct File;
  const File& file_of(const Leaf::Place& place) const;
  const void* read_plain(const File& file, uint64_t offset, uint64_t size, std::span<std::byte> buffer) const;
  const void* gather(const File& file, const tensorfile::TensorInfo& info, const ElementRange& window,
                     std::span<std::byte> buffer) const;

  const Step& step_;
  std::vector<std::vector<std::unique_ptr<File>>> files_;  // by source and shard
};

}  // namespace mlq::simigrad
