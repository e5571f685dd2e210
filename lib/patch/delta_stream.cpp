#include "lib/patch/delta_stream.h"

#include "lib/base/error.h"
#include "lib/patch/model.h"

namespace mlq::patch {

using quant::FrameEntry;

std::vector<std::byte> stream_end(std::span<const PieceEntry> entries, std::vector<FrameEntry> frames,
                                  quant::FramePacker& packer) {
  std::vector<std::byte> list, end;
  for (const PieceEntry& entry : entries) append_entry(entry, list);
  packer.pack(list, packer.better(list), end, frames);
  const std::vector<std::byte> table = quant::seek_table(frames);
  end.insert(end.end(), table.begin(), table.end());
  return end;
}

DeltaStream::DeltaStream(const tensorfile::Source& source, size_t stored, uint64_t bytes,
                         kernels::WordKind kind, std::string what)
    : kind_(kind), what_(std::move(what)), frames_(source, stored, what_) {
  place_frames(bytes, read_entries(bytes));
}

// The list of the pieces, from the last frames; how many are before them.
size_t DeltaStream::read_entries(uint64_t bytes) {
  const uint64_t pieces = piece_count(bytes, kind_.width), size = pieces * kPieceEntryBytes;
  const uint64_t own = quant::frames_of(size);
  if (own > frames_.count())
    throw input_error("{}: lacks the list of its pieces; the file is damaged", what_);
  const size_t first = frames_.count() - own;
  frames_.end_of(first, size);
  quant::FrameUnpacker unpacker;
  std::vector<std::byte> packed, list;
  frames_.fetch(first, frames_.count(), packed);
  frames_.unpack(first, frames_.count(), packed, unpacker, list);
  for (uint64_t i = 0; i < pieces; ++i)
    entries_.push_back(read_entry(std::span(list).subspan(i * kPieceEntryBytes, kPieceEntryBytes), kind_,
                                  piece_range(bytes, kind_.width, i).count, what_));
  return first;
}

// Which of the `count` frames are whose follows from the sizes of the sections; all of them must be
// somebody's.
void DeltaStream::place_frames(uint64_t bytes, size_t count) {
  size_t frame = 0;
  for (uint64_t piece = 0; piece < entries_.size(); ++piece) {
    first_frames_.push_back(frame);
    for (const uint64_t section :
         section_sizes(entries_[piece], kind_, piece_range(bytes, kind_.width, piece).count))
      frame = frames_.end_of(frame, section);
  }
  first_frames_.push_back(frame);
  if (frame != count) throw input_error("{}: has frames of no piece; the file is damaged", what_);
}

uint64_t DeltaStream::changed() const {
  uint64_t changed = 0;
  for (const PieceEntry& entry : entries_) changed += entry.changed;
  return changed;
}

void DeltaStream::apply(uint64_t piece, std::span<std::byte> words, quant::Worker& worker) const {
  const size_t first = first_frames_[piece], last = first_frames_[piece + 1];
  if (first == last) return;
  frames_.fetch(first, last, worker.packed);
  worker.compute([&] {
    frames_.unpack(first, last, worker.packed, worker.unpacker, worker.sections);
    decode_piece(kind_, entries_[piece], worker.sections, words, worker, what_);
  });
}

}  // namespace mlq::patch
