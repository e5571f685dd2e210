// One tensor in one format: which planes of bytes that makes, and the way from values to planes and back,
// piece by piece. The arithmetic is in kernels/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lib/quant/format.h"

namespace mlq::quant {

enum class Plane : uint8_t {
  codes,    // of each element; of `raw` the tensor's own bytes
  high,     // ec, wide: the high bytes of the codes
  scales,   // a block each
  nested,   // double quantisation: absmax of 256 scales each, F32
  global,   // nvfp4: the tensor's factor, one F32
  escapes,  // ec: elements that no code holds, as they were
};
inline constexpr std::array kPlanes = {Plane::codes,  Plane::high,   Plane::scales,
                                       Plane::nested, Plane::global, Plane::escapes};
inline constexpr size_t kPlaneCount = kPlanes.size();
// "codes", "high", ...
std::string_view name_of(Plane plane);

// All that decoding needs beside the planes. Plain values; settled before the first piece is encoded.
struct Coding {
  Spec spec;
  Float source = Float::f32;  // what the values are read as: F64 tensors are rounded to f32 first
  Shape2d shape;
  bool plain = false;                 // by the twins, not by SIMD: the same bytes, slower
  float step = 0;                     // ec
  bool wide = false;                  // ec
  float scale = 0;                    // BlockKind::tensor: the scale; nvfp4: the factor g
  float nested_offset = 0;            // double quantisation: what is subtracted from each absmax
  std::vector<float> absmax;          // double quantisation: of each block, as decoded
  std::vector<uint8_t> nested_codes;  // double quantisation: the plane scales
  std::vector<float> nested_absmax;   // double quantisation: the plane nested
};
// With what is known before the tensor is read.
Coding unsettled_coding(const Spec& spec, Float source, const Shape2d& shape);

// Elements `first` ... `first + count` of a tensor. It begins and ends with a block, or with the tensor, and
// on a row where rows matter.
struct Range {
  uint64_t first = 0;
  uint64_t count = 0;
};

bool has_plane(const Coding& coding, Plane plane);
// Bytes of a whole plane; of escapes the most that it can have.
uint64_t plane_bytes(const Coding& coding, Plane plane);
// Where the bytes of `range` lie in a plane of codes, high or scales: offset and size.
struct Extent {
  uint64_t offset = 0;
  uint64_t size = 0;
};
Extent plane_extent(const Coding& coding, Plane plane, const Range& range);
// Blocks that touch no row border can be cut anywhere between two of them.
bool rows_matter(const Coding& coding);
// What a piece of a tensor must be a multiple of, in elements, and end with it.
uint64_t piece_unit(const Coding& coding);

// The planes of a piece. `nested` and `global` belong to the tensor and are not here.
struct Piece {
  std::vector<std::byte> codes, high, scales, escapes;
  uint64_t escape_count = 0;
  std::vector<std::byte>& plane(Plane plane);
};

// The values of a range, coding.source each, into planes (their sizes are set). Adds to counts. Thread-safe.
void encode_piece(const Coding& coding, const Range& range, const void* x, Piece& out,
                  kernels::EncodeCounts& counts);

// Where kernels run: on the CPU, or as work of a device's stream, on memory of the device.
struct Backend {
  bool plain = false;                          // on the CPU: by the twins
  std::optional<kernels::Stream> stream = {};  // set: on the device
  void* scratch = nullptr;                     // there, ec: kernels::ec_scratch_bytes() of the range
};

// The planes of a range: for encoders with room for plane_extent() bytes, escapes for the whole range.
template <class Byte>
struct PlanePointers {
  Byte* codes = nullptr;
  Byte* high = nullptr;
  Byte* scales = nullptr;  // double quantisation: F32, of each block; one scale a tensor: read, not written
  Byte* escapes = nullptr;
};

// What an encoder counts.
struct EncodeTally {
  kernels::EncodeCounts counts;  // added to
  uint64_t escapes = 0;          // ec: written
  uint64_t cut = 0;              // bf16: added to
};

// The kernels behind encode_piece() and decode_piece(), which say the rest.
void encode_planes(const Coding& coding, const Range& range, const void* x, const PlanePointers<uint8_t>& out,
                   EncodeTally* tally, const Backend& backend);
void decode_planes(const Coding& coding, const Range& range, const PlanePointers<const uint8_t>& planes,
                   Float target, void* out, uint64_t* saturated, const Backend& backend);
// Bytes that encoders write as scales of a range; for one scale a tensor, what decoders read.
uint64_t encoded_scale_bytes(const Coding& coding, const Range& range);
// Double quantisation: the absmax of the blocks of a range; else empty.
std::span<const float> absmax_of(const Coding& coding, const Range& range);

struct PieceView {
  std::span<const std::byte> codes, high, scales, escapes;
};
PieceView view_of(const Piece& piece);
// Whether a range was encoded to the same bytes twice; escapes of `longer` may go on with those of what
// follows.
bool same_planes(const PieceView& one, const PieceView& longer);
// Of a piece that begins at `whole.first`, the part `part`; escapes as they are, since where they begin is
// not known.
PieceView part_of(const Coding& coding, const PieceView& whole, const Range& whole_range, const Range& part);

// The planes of a range into `range.count` values of `target`. Escapes begin with the first of the range.
// Adds the number of values cut to the target's largest to *saturated. The spans have the sizes that
// plane_extent() says. Thread-safe.
void decode_piece(const Coding& coding, const Range& range, const PieceView& planes, Float target, void* out,
                  uint64_t* saturated);
// How many escapes the codes of a piece mark.
uint64_t count_escapes(const Coding& coding, const PieceView& planes);

// Sets absmax of the blocks from the planes scales and nested (double quantisation), or scale from the plane
// scales or global (one scale a tensor, nvfp4). For readers; `planes` by Plane. Sizes are the caller's to
// check.
void load_scales(Coding& coding, std::span<const std::byte> scales, std::span<const std::byte> nested,
                 std::span<const std::byte> global);
// The bytes of a plane that belongs to the tensor as a whole (scales of BlockKind::tensor and of double
// quantisation, nested, global); empty for others.
std::vector<std::byte> tensor_plane(const Coding& coding, Plane plane);

// Bits a weight, all planes counted, of a tensor of that many elements with so many bytes.
double bits_per_weight(uint64_t bytes, uint64_t elems);

}  // namespace mlq::quant
