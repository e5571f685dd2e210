// A plane of codes as independent zstd frames of 1 MiB each, with the public seek table behind them (zstd's
// "seekable format" 0.1.0): stock `zstd -d` reads the whole, and any part can be read alone.
//
// The table is one skippable frame: 0x184D2A5E, its size, for each frame {u32 compressed size, u32
// decompressed size, u32 low half of XXH64 of the content}, then u32 number of frames, u8 0x80, u32
// 0x8F92EAB1. All little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/quant/format.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace mlq::quant {

inline constexpr uint64_t kFrameBytes = uint64_t{1} << 20;

struct FrameEntry {
  uint32_t packed_bytes = 0;
  uint32_t bytes = 0;
  uint32_t checksum = 0;
};

// One a thread. Movable.
class FramePacker {
 public:
  FramePacker();
  ~FramePacker();
  FramePacker(FramePacker&&) noexcept;
  FramePacker& operator=(FramePacker&&) noexcept;

  // Appends `plane` as frames to `out` and what they are to `entries`. `how` is literal or match.
  void pack(std::span<const std::byte> plane, Zstd how, std::vector<std::byte>& out,
            std::vector<FrameEntry>& entries);
  // Literal or match: which of them makes the first 256 KiB of `plane` smaller; literal if they are equal.
  Zstd better(std::span<const std::byte> plane);

 private:
  std::unique_ptr<ZSTD_CCtx_s, void (*)(ZSTD_CCtx_s*)> context_;
};

// The bytes of the skippable frame. Frames are at most 2^32 / 12.
std::vector<std::byte> seek_table(std::span<const FrameEntry> entries);
uint64_t seek_table_bytes(uint64_t frames);
// Frames that a plane of `bytes` is cut into.
constexpr uint64_t frames_of(uint64_t bytes) { return (bytes + kFrameBytes - 1) / kFrameBytes; }
// No plane of `bytes` is larger than this when it is packed, its seek table included.
uint64_t largest_packed(uint64_t bytes);

// Reads the table of a plane that decompresses to `bytes`; `tail` are the last
// seek_table_bytes(frames_of(bytes)) of its `packed_bytes`. An input Error naming `what` unless every number
// in it fits the plane.
std::vector<FrameEntry> read_seek_table(std::span<const std::byte> tail, uint64_t bytes,
                                        uint64_t packed_bytes, const std::string& what);

// The same of a plane whose frames are of any sizes up to kFrameBytes, so that parts of it can be made each
// on its own: how many it has, by its last kSeekFooterBytes, and then its table, by its last
// seek_table_bytes().
inline constexpr uint64_t kSeekFooterBytes = 9;
uint64_t frames_said(std::span<const std::byte> footer, uint64_t packed_bytes, const std::string& what);
std::vector<FrameEntry> read_loose_seek_table(std::span<const std::byte> tail, uint64_t packed_bytes,
                                              const std::string& what);

class FrameUnpacker {
 public:
  FrameUnpacker();
  ~FrameUnpacker();
  FrameUnpacker(FrameUnpacker&&) noexcept;
  FrameUnpacker& operator=(FrameUnpacker&&) noexcept;

  // One frame into `out`, which has entry.bytes. An input Error naming `what` if it is damaged, says another
  // size, or wants a window of more than 8 MiB.
  void unpack(std::span<const std::byte> frame, const FrameEntry& entry, std::span<std::byte> out,
              const std::string& what);

 private:
  std::unique_ptr<ZSTD_DCtx_s, void (*)(ZSTD_DCtx_s*)> context_;
};

}  // namespace mlq::quant
