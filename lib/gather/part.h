// A part of a tensor that one rank owns, encoded by its owner and applied by all: the arithmetic of a gather.
// What receivers hold of it is its state; the owner holds the same, since it moves by the same function.
//
// Pieces of a part can be encoded and applied on threads of their own: the bytes are the same. Pure
// functions, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/dither.h"
#include "lib/gather/settings.h"

namespace mlq::gather {

// Beginning and length of a piece are multiples of kPiece but for a part's end. A multiple of every block, of
// 4096 (the groups of sums.h) and of 8.
inline constexpr uint64_t kPiece = 16384;

struct Part {
  uint64_t elems = 0;
  Float source = Float::bf16;  // of the weights
  uint32_t tensor = 0;         // for dither: a number of the tensor, and its element at which the part begins
  uint64_t first = 0;
};

// What kind of frame a step is.
struct Frame {
  uint64_t step = 0;
  bool key = false;  // does not depend on what is held
  bool raw = false;  // values of the state's type
};

// The offsets of a part, for its own elements of the tensor.
kernels::DitherKey dither_key(const Settings& settings, const Part& part, const Frame& frame);

// Key frames have key_bits, 8 of them absmax; else as `settings` says.
kernels::BlockIntSpec spec_of(const Settings& settings, const Frame& frame);
bool is_raw(const Settings& settings, const Frame& frame);
// Whether codes are of differences to what is held, or dithered. Deltas and dither alike send what does not
// depend on the past in a key frame.
bool uses_state(const Settings& settings, const Frame& frame);
bool uses_dither(const Settings& settings, const Frame& frame);
// Bytes of codes (of a raw frame: values) and of scales that a part of so many elements has.
uint64_t code_bytes(const Settings& settings, const Frame& frame, uint64_t elems);
uint64_t scale_bytes(const Settings& settings, const Frame& frame, uint64_t elems);

// Bytes of the residual of so many elements, if the mode has one: fp32, or codes and, from residual_scales()
// on, scales.
inline constexpr kernels::BlockIntSpec kResidualSpec{8, kernels::Grid::absmax, Float::bf16, false};
uint64_t residual_bytes(const Settings& settings, uint64_t elems);
constexpr uint64_t residual_scales(uint64_t elems) { return elems + elems % 2; }
// The share of the residual that this frame adds to its weights.
float residual_share(const Settings& settings, const Frame& frame);

struct PartCounts {
  kernels::EncodeCounts encoded;
  uint64_t saturated = 0;
};

// One piece: elements `first` ... of the part, `count` of them. Codes and scales begin at the part's.
struct PieceRange {
  uint64_t first = 0;
  uint64_t count = 0;
};

// Encodes a piece of the weights `w` (as the part's source), given what receivers hold, and leaves in `next`
// what they will hold (both of settings.state, whole parts that may not be one). `residual`
// (residual_bytes(), of the whole part) is read and `next_residual` written where the mode has one; else they
// are not looked at.
void encode_piece(const Settings& settings, const Part& part, const Frame& frame, const PieceRange& piece,
                  const void* w, const void* held, void* next, const void* residual, void* next_residual,
                  uint8_t* codes, void* scales, PartCounts& counts);

// What receivers make of a piece: `held` becomes what `next` was.
void apply_piece(const Settings& settings, const Part& part, const Frame& frame, const PieceRange& piece,
                 const uint8_t* codes, const void* scales, void* held, uint64_t* saturated);

// The piece at an index, and how many there are.
constexpr uint64_t pieces_of(uint64_t elems) { return (elems + kPiece - 1) / kPiece; }
constexpr PieceRange piece_at(uint64_t elems, uint64_t index) {
  const uint64_t first = index * kPiece;
  return {first, elems - first < kPiece ? elems - first : kPiece};
}

}  // namespace mlq::gather
