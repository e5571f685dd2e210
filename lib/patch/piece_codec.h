// What changed in a piece of a tensor, as a few sections of bytes, and back. The sections are compressed,
// each in frames of its own (lib/quant/frames.h), so that a piece can be made and read alone.
//
//   gap     LEB128 numbers of unchanged words before each changed one; byte planes of the folded differences
//   bitmap  a bit a word; the same planes
//   xor     byte planes of the XOR of all words
//
// Differences and planes are those of kernels/ordered_diff.h. A plane that is all zero is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/ordered_diff.h"
#include "lib/patch/stored_frames.h"
#include "lib/quant/schedule.h"
#include "lib/tensorfile/dtype.h"

namespace mlq::patch {

// Words of a tensor that are compared, compressed and applied at a time: whole leaves of hashes, whole blocks
// of scales. Words and not bytes, so that pieces are the same elements whatever type of float they are stored
// as.
inline constexpr uint64_t kPieceWords = uint64_t{1} << 20;

// How the bytes of a tensor are taken: floats by sign and magnitude, types of less than a byte as bytes,
// complex numbers as pairs.
kernels::WordKind word_kind(tensorfile::Dtype dtype);

enum class PieceCodec : uint8_t { unchanged, gap, bitmap, bit_xor };
// "unchanged", "gap", "bitmap", "xor".
std::string_view name_of(PieceCodec codec);

// What a patch says of a piece, 12 bytes: u8 codec, u8 planes that are there (bit k: plane k), u16 zero, u32
// changed words, u32 bytes of gaps. Little-endian.
struct PieceEntry {
  PieceCodec codec = PieceCodec::unchanged;
  uint8_t planes = 0;
  uint32_t changed = 0;
  uint32_t gap_bytes = 0;
  bool operator==(const PieceEntry&) const = default;
};
inline constexpr uint64_t kPieceEntryBytes = 12;
void append_entry(const PieceEntry& entry, std::vector<std::byte>& out);
// An input Error naming `what` unless it can be that of a piece of `bytes`.
PieceEntry read_entry(std::span<const std::byte> from, kernels::WordKind kind, uint64_t bytes,
                      const std::string& what);
// Bytes of the sections of a piece of `bytes`, in their order.
std::vector<uint64_t> section_sizes(const PieceEntry& entry, kernels::WordKind kind, uint64_t bytes);

struct EncodedPiece {
  PieceEntry entry;
  PackedSections sections;
};

// From `base` to `next`, of one size, whole words. With `codec` nothing: gaps where at most a fifth of the
// words change, else bitmap or xor, whichever makes the beginning of the piece smaller. What is equal is
// `unchanged` always. Uses worker.values and worker.other.
EncodedPiece encode_piece(kernels::WordKind kind, std::span<const std::byte> base,
                          std::span<const std::byte> next, std::optional<PieceCodec> codec,
                          quant::Worker& worker);

// The way back, in place. `sections`: the decompressed sections of the piece, one after another. An input
// Error naming `what` for gaps that do not fit; uses worker.other.
void decode_piece(kernels::WordKind kind, const PieceEntry& entry, std::span<const std::byte> sections,
                  std::span<std::byte> words, quant::Worker& worker, const std::string& what);

}  // namespace mlq::patch
