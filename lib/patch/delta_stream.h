// The one U8 tensor that holds the lossless changes of a tensor: for each of its pieces (piece_codec.h) in
// order the frames of its sections, then the frames of the list of all PieceEntry, then the seek table
// (frames.h). A section begins with a frame, and so does the list. Pieces that did not change have no frame.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/patch/piece_codec.h"
#include "lib/patch/stored_frames.h"
#include "lib/tensorfile/source.h"

namespace mlq::patch {

// What follows the frames of the pieces. `frames`: theirs, in order.
std::vector<std::byte> stream_end(std::span<const PieceEntry> entries, std::vector<quant::FrameEntry> frames,
                                  quant::FramePacker& packer);

// Reads it. Immutable, apply() is thread-safe. Keeps a reference to the source.
class DeltaStream {
 public:
  // `stored`: the tensor that it is, of `source`; `bytes` and `kind`: of the tensor that it changes. An input
  // Error naming `what` unless every number in it goes with every other; nothing is allocated by what they
  // say before that.
  DeltaStream(const tensorfile::Source& source, size_t stored, uint64_t bytes, kernels::WordKind kind,
              std::string what);

  const PieceEntry& entry(uint64_t piece) const { return entries_[piece]; }
  uint64_t changed() const;  // words
  // Turns the piece of the base in `words` into that of the result. Uses the worker's packed,
  // values, other and sections.
  void apply(uint64_t piece, std::span<std::byte> words, quant::Worker& worker) const;

 private:
  size_t read_entries(uint64_t bytes);
  void place_frames(uint64_t bytes, size_t count);

  kernels::WordKind kind_;
  std::string what_;
  StoredFrames frames_;
  std::vector<PieceEntry> entries_;
  std::vector<size_t> first_frames_;  // of the pieces; one more at the end
};

}  // namespace mlq::patch
