#include "lib/patch/stored_frames.h"

#include <algorithm>

#include "lib/base/error.h"

namespace mlq::patch {

using quant::FrameEntry;

namespace {

constexpr uint64_t kTriedBytes = uint64_t{64} << 10;  // of a section, to choose how it is compressed

}  // namespace

void PackedSections::add(std::span<const std::byte> section, quant::FramePacker& packer) {
  if (section.empty()) return;
  const auto tried = section.first(std::min<size_t>(section.size(), kTriedBytes));
  packer.pack(section, packer.better(tried), packed, frames);
}

StoredFrames::StoredFrames(const tensorfile::Source& source, size_t stored, std::string what)
    : source_(source), stored_(stored), what_(std::move(what)) {
  const uint64_t packed = source_.tensors()[stored_].size_bytes;
  std::vector<std::byte> tail(std::min(packed, quant::kSeekFooterBytes));
  source_.read(stored_, packed - tail.size(), tail);
  tail.resize(quant::seek_table_bytes(quant::frames_said(tail, packed, what_)));
  source_.read(stored_, packed - tail.size(), tail);
  frames_ = quant::read_loose_seek_table(tail, packed, what_);
  offsets_.push_back(0);
  for (const FrameEntry& frame : frames_) offsets_.push_back(offsets_.back() + frame.packed_bytes);
}

size_t StoredFrames::end_of(size_t first, uint64_t bytes) const {
  for (; bytes > 0; ++first) {
    const uint64_t size = std::min(bytes, quant::kFrameBytes);
    if (first >= frames_.size() || frames_[first].bytes != size)
      throw input_error("{}: its frames are not those of its pieces; the file is damaged", what_);
    bytes -= size;
  }
  return first;
}

void StoredFrames::fetch(size_t first, size_t last, std::vector<std::byte>& packed) const {
  packed.resize(offsets_[last] - offsets_[first]);
  source_.read(stored_, offsets_[first], packed);
}

void StoredFrames::unpack(size_t first, size_t last, std::span<const std::byte> packed,
                          quant::FrameUnpacker& unpacker, std::vector<std::byte>& sections) const {
  uint64_t size = 0;
  for (size_t i = first; i < last; ++i) size += frames_[i].bytes;
  sections.resize(size);
  uint64_t at = 0;
  for (size_t i = first; i < last; ++i) {
    unpacker.unpack(packed.subspan(offsets_[i] - offsets_[first], frames_[i].packed_bytes), frames_[i],
                    std::span(sections).subspan(at, frames_[i].bytes), what_);
    at += frames_[i].bytes;
  }
}

}  // namespace mlq::patch
