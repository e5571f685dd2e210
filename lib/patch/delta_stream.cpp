#include "lib/patch/delta_stream.h"

#include <algorithm>

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
    : source_(source), stored_(stored), kind_(kind), what_(std::move(what)) {
  const uint64_t packed = source_.tensors()[stored_].size_bytes;
  std::vector<std::byte> tail(std::min(packed, quant::kSeekFooterBytes));
  source_.read(stored_, packed - tail.size(), tail);
  tail.resize(quant::seek_table_bytes(quant::frames_said(tail, packed, what_)));
  source_.read(stored_, packed - tail.size(), tail);
  frames_ = quant::read_loose_seek_table(tail, packed, what_);
  uint64_t offset = 0;
  for (const FrameEntry& frame : frames_) {
    offsets_.push_back(offset);
    offset += frame.packed_bytes;
  }
  quant::FrameUnpacker unpacker;
  read_entries(bytes, unpacker);
  place_frames(bytes);
}

void DeltaStream::read_entries(uint64_t bytes, quant::FrameUnpacker& unpacker) {
  const uint64_t pieces = piece_count(bytes, kind_.width), size = pieces * kPieceEntryBytes;
  const uint64_t own = quant::frames_of(size);
  if (own > frames_.size()) throw input_error("{}: lacks the list of its pieces; the file is damaged", what_);
  std::vector<std::byte> list, packed;
  for (size_t i = frames_.size() - own; i < frames_.size(); ++i) {
    packed.resize(frames_[i].packed_bytes);
    source_.read(stored_, offsets_[i], packed);
    if (list.size() + frames_[i].bytes > size)
      throw input_error("{}: the list of its pieces is too long; the file is damaged", what_);
    list.resize(list.size() + frames_[i].bytes);
    unpacker.unpack(packed, frames_[i], std::span(list).last(frames_[i].bytes), what_);
  }
  if (list.size() != size)
    throw input_error("{}: the list of its pieces is too short; the file is damaged", what_);
  for (uint64_t i = 0; i < pieces; ++i)
    entries_.push_back(read_entry(std::span(list).subspan(i * kPieceEntryBytes, kPieceEntryBytes), kind_,
                                  piece_range(bytes, kind_.width, i).count, what_));
  frames_.resize(frames_.size() - own);
}

// Which frames are whose follows from the sizes of the sections; all of them must be somebody's.
void DeltaStream::place_frames(uint64_t bytes) {
  size_t frame = 0;
  for (uint64_t piece = 0; piece < entries_.size(); ++piece) {
    first_frames_.push_back(frame);
    for (const uint64_t section :
         section_sizes(entries_[piece], kind_, piece_range(bytes, kind_.width, piece).count)) {
      for (uint64_t left = section; left > 0; ++frame) {
        const uint64_t size = std::min(left, quant::kFrameBytes);
        if (frame == frames_.size() || frames_[frame].bytes != size)
          throw input_error("{}: its frames are not those of its pieces; the file is damaged", what_);
        left -= size;
      }
    }
  }
  first_frames_.push_back(frame);
  if (frame != frames_.size()) throw input_error("{}: has frames of no piece; the file is damaged", what_);
}

uint64_t DeltaStream::changed() const {
  uint64_t changed = 0;
  for (const PieceEntry& entry : entries_) changed += entry.changed;
  return changed;
}

void DeltaStream::apply(uint64_t piece, std::span<std::byte> words, quant::Worker& worker) const {
  const size_t first = first_frames_[piece], last = first_frames_[piece + 1];
  if (first == last) return;
  uint64_t size = 0;
  for (size_t i = first; i < last; ++i) size += frames_[i].bytes;
  worker.packed.resize(offsets_[last - 1] + frames_[last - 1].packed_bytes - offsets_[first]);
  source_.read(stored_, offsets_[first], worker.packed);
  worker.compute([&] {
    worker.sections.resize(size);
    uint64_t at = 0;
    for (size_t i = first; i < last; ++i) {
      worker.unpacker.unpack(
          std::span(worker.packed).subspan(offsets_[i] - offsets_[first], frames_[i].packed_bytes),
          frames_[i], std::span(worker.sections).subspan(at, frames_[i].bytes), what_);
      at += frames_[i].bytes;
    }
    decode_piece(kind_, entries_[piece], worker.sections, words, worker, what_);
  });
}

}  // namespace mlq::patch
