// What a rank sends in one gather: a header of 64 bytes, little-endian, and a payload of codes, scales and
// tensors that travel as they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lib/gather/part.h"
#include "lib/quant/tree_hash.h"

namespace mlq::gather {

struct WireHeader {
  uint32_t magic;    // kMagic
  uint16_t version;  // kVersion
  uint16_t flags;    // Flag
  uint32_t rank, ranks;
  uint64_t step;
  uint64_t elems;          // of the quantised parts
  uint64_t payload_bytes;  // without padding
  uint8_t code_bits;       // 8, 4, 3, 2, or 0: values of the state's type
  uint8_t cancel;          // Cancel
  uint8_t log2_block;
  uint8_t scale;  // Float
  uint32_t zero;
  quant::Digest digest;  // hash of the payload, by its leaves as of a tensor (tree_hash.h)

  static constexpr uint32_t kMagic = 0x47514c4du;  // MLQG
  static constexpr uint16_t kVersion = 2;
  // nonfinite and failed only in the headers that go round after the payload, which then is of no use.
  enum Flag : uint16_t { key = 1, nonfinite = 2, failed = 4 };
};
static_assert(sizeof(WireHeader) == 64);
static_assert(offsetof(WireHeader, flags) == 6 && offsetof(WireHeader, rank) == 8 &&
              offsetof(WireHeader, step) == 16 && offsetof(WireHeader, elems) == 24 &&
              offsetof(WireHeader, payload_bytes) == 32 && offsetof(WireHeader, code_bits) == 40 &&
              offsetof(WireHeader, log2_block) == 42 && offsetof(WireHeader, scale) == 43 &&
              offsetof(WireHeader, digest) == 48);

WireHeader make_header(const Settings& settings, const Frame& frame, unsigned rank, unsigned ranks);
// The header at the beginning of `bytes`, which `room` bytes follow at most. An input Error, beginning with
// `where`, for what is none or does not go with the settings, the frame or the room.
WireHeader parse_header(std::span<const std::byte> bytes, uint64_t room, const Settings& settings,
                        const Frame& frame, std::string_view where);

// Where everything lies in the payload of a rank: the codes of all parts, then their scales, then what
// travels as it is; each on a multiple of 16.
struct Packing {
  struct Slot {
    uint64_t codes = 0, scales = 0;  // offsets
  };
  std::vector<Slot> parts;
  std::vector<uint64_t> plain;  // offsets
  uint64_t payload_bytes = 0;
};
Packing pack_parts(const Settings& settings, const Frame& frame, std::span<const Part> parts,
                   std::span<const uint64_t> plain_bytes);

}  // namespace mlq::gather
