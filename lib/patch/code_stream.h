// The one U8 tensor that holds the codes and scales of a lossy tensor (lossy.h). Plain: the codes of all
// elements, then all scales. Compressed: for each of its pieces (piece_codec.h) in order the frames of its
// sections, then the seek table (stored_frames.h). Sections are the byte planes of the codes, three at three
// bits, whose eight codes have three bytes, else one; then those of the scales, low bytes first. Where
// sections are and how long they are follows from the spec and the number of elements.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/patch/lossy.h"
#include "lib/patch/stored_frames.h"
#include "lib/quant/schedule.h"

namespace mlq::patch {

PackedSections pack_codes(const LossySpec& spec, const LossyPiece& piece, quant::Worker& worker);

// Reads it. Immutable, thread-safe with a worker a thread. Keeps a reference to the source.
class CodeStream {
 public:
  // `stored`: the tensor that it is, of `source`, whose size fits if it is plain; `elems`: of the tensor that
  // it changes. An input Error naming `what` unless every number in it goes with every other.
  CodeStream(const tensorfile::Source& source, size_t stored, const LossySpec& spec, bool packed,
             uint64_t elems, std::string what);

  struct Piece {
    std::span<const std::byte> codes, scales;  // scales aligned as their type
  };
  // Reads a piece into the worker's packed; then makes it what it was, in its sections or values.
  void fetch(uint64_t piece, quant::Worker& worker) const;
  Piece unpack(uint64_t piece, quant::Worker& worker) const;

 private:
  const tensorfile::Source& source_;
  size_t stored_;
  LossySpec spec_;
  uint64_t elems_;
  std::optional<StoredFrames> frames_;  // none of plain codes
  std::vector<size_t> first_frames_;    // of the pieces; one more at the end
};

}  // namespace mlq::patch
