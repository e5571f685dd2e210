// Sections of bytes, compressed each on its own and stored one after another in one U8 tensor, the seek table
// behind them (lib/quant/frames.h). A section begins with a frame.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/quant/frames.h"
#include "lib/tensorfile/source.h"

namespace mlq::patch {

// What sections have become: their frames one after another, and what those are.
struct PackedSections {
  std::vector<std::byte> packed;
  std::vector<quant::FrameEntry> frames;

  // Appends a section in the profile of zstd that makes its beginning smaller; an empty one has no frame.
  void add(std::span<const std::byte> section, quant::FramePacker& packer);
};

// Reads them. Immutable, thread-safe. Keeps a reference to the source.
class StoredFrames {
 public:
  // `stored`: the tensor that they are in. An input Error naming `what` unless the numbers of the seek table
  // go together with each other and the tensor's size.
  StoredFrames(const tensorfile::Source& source, size_t stored, std::string what);

  size_t count() const { return frames_.size(); }
  // The frame after those of a section of `bytes` that begins with frame `first`. An input Error unless they
  // have its size.
  size_t end_of(size_t first, uint64_t bytes) const;

  // Frames `first` to `last` - 1 as they are stored, and what they are decompressed, one after another.
  void fetch(size_t first, size_t last, std::vector<std::byte>& packed) const;
  void unpack(size_t first, size_t last, std::span<const std::byte> packed, quant::FrameUnpacker& unpacker,
              std::vector<std::byte>& sections) const;

 private:
  const tensorfile::Source& source_;
  size_t stored_;
  std::string what_;
  std::vector<quant::FrameEntry> frames_;
  std::vector<uint64_t> offsets_;  // of the frames in the tensor; one more at the end
};

}  // namespace mlq::patch
