#include "lib/patch/code_stream.h"

#include <cstring>

#include "lib/base/error.h"

namespace mlq::patch {
namespace {

using Bytes = std::span<const std::byte>;

unsigned planes_of_codes(const LossySpec& spec) { return spec.code.bits == 3 ? 3 : 1; }
unsigned planes_of_scales(const LossySpec& spec) { return static_cast<unsigned>(size_of(spec.code.scale)); }

// Bytes k, k + planes, ... of `size`.
uint64_t plane_bytes(uint64_t size, unsigned planes, unsigned k) { return (size + planes - 1 - k) / planes; }

void split(Bytes bytes, unsigned planes, quant::Worker& worker, PackedSections& out) {
  for (unsigned k = 0; k < planes; ++k) {
    worker.other.resize(plane_bytes(bytes.size(), planes, k));
    for (size_t i = 0; i < worker.other.size(); ++i) worker.other[i] = bytes[i * planes + k];
    out.add(worker.other, worker.packer);
  }
}

// The way back, into `bytes`, from the beginning of `sections`; returns what is behind.
Bytes join(Bytes sections, unsigned planes, std::span<std::byte> bytes) {
  for (unsigned k = 0; k < planes; ++k) {
    const uint64_t size = plane_bytes(bytes.size(), planes, k);
    for (size_t i = 0; i < size; ++i) bytes[i * planes + k] = sections[i];
    sections = sections.subspan(size);
  }
  return sections;
}

}  // namespace

PackedSections pack_codes(const LossySpec& spec, const LossyPiece& piece, quant::Worker& worker) {
  PackedSections out;
  if (planes_of_codes(spec) == 1)
    out.add(piece.codes, worker.packer);
  else
    split(piece.codes, planes_of_codes(spec), worker, out);
  split(piece.scales, planes_of_scales(spec), worker, out);
  return out;
}

CodeStream::CodeStream(const tensorfile::Source& source, size_t stored, const LossySpec& spec, bool packed,
                       uint64_t elems, std::string what)
    : source_(source), stored_(stored), spec_(spec), elems_(elems) {
  if (!packed) return;
  frames_.emplace(source, stored, what);
  size_t frame = 0;
  for (uint64_t piece = 0; piece < quant::pieces_of(elems_, kPieceWords); ++piece) {
    first_frames_.push_back(frame);
    const quant::Range range = quant::piece_at(elems_, kPieceWords, piece);
    const uint64_t codes = code_extent(spec_, range).size, scales = scale_extent(spec_, elems_, range).size;
    for (unsigned k = 0; k < planes_of_codes(spec_); ++k)
      frame = frames_->end_of(frame, plane_bytes(codes, planes_of_codes(spec_), k));
    for (unsigned k = 0; k < planes_of_scales(spec_); ++k)
      frame = frames_->end_of(frame, plane_bytes(scales, planes_of_scales(spec_), k));
  }
  first_frames_.push_back(frame);
  if (frame != frames_->count()) throw input_error("{}: has frames of no piece; the file is damaged", what);
}

void CodeStream::fetch(uint64_t piece, quant::Worker& worker) const {
  if (frames_) return frames_->fetch(first_frames_[piece], first_frames_[piece + 1], worker.packed);
  const quant::Range range = quant::piece_at(elems_, kPieceWords, piece);
  const quant::Extent codes = code_extent(spec_, range), scales = scale_extent(spec_, elems_, range);
  worker.packed.resize(scales.size + codes.size);
  source_.read(stored_, scales.offset, std::span(worker.packed).first(scales.size));
  source_.read(stored_, codes.offset, std::span(worker.packed).last(codes.size));
}

// Scales stand first, where any type of them is aligned.
CodeStream::Piece CodeStream::unpack(uint64_t piece, quant::Worker& worker) const {
  const quant::Range range = quant::piece_at(elems_, kPieceWords, piece);
  const uint64_t codes = code_extent(spec_, range).size, scales = scale_extent(spec_, elems_, range).size;
  if (!frames_) return {Bytes(worker.packed).last(codes), Bytes(worker.packed).first(scales)};
  frames_->unpack(first_frames_[piece], first_frames_[piece + 1], worker.packed, worker.unpacker,
                  worker.sections);
  const bool as_they_are = planes_of_codes(spec_) == 1;
  worker.values.resize(scales + (as_they_are ? 0 : codes));
  const std::span values(worker.values);
  Bytes sections = worker.sections;
  sections =
      as_they_are ? sections.subspan(codes) : join(sections, planes_of_codes(spec_), values.last(codes));
  join(sections, planes_of_scales(spec_), values.first(scales));
  return {as_they_are ? Bytes(worker.sections).first(codes) : Bytes(values).last(codes),
          Bytes(values).first(scales)};
}

}  // namespace mlq::patch
