// The choice between the two profiles is zstd's experimental parameter for literals.
#define ZSTD_STATIC_LINKING_ONLY
#include "lib/quant/frames.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "lib/base/error.h"

namespace mlq::quant {
namespace {

constexpr uint32_t kSkippable = 0x184D2A5E;
constexpr uint32_t kSeekable = 0x8F92EAB1;
constexpr uint8_t kWithChecksums = 0x80;
constexpr size_t kHeader = 8, kEntry = 12, kFooter = kSeekFooterBytes;
constexpr int kLargestWindowLog = 23;
constexpr uint64_t kTried = kFrameBytes / 4;

void free_compressor(ZSTD_CCtx_s* context) { ZSTD_freeCCtx(context); }
void free_decompressor(ZSTD_DCtx_s* context) { ZSTD_freeDCtx(context); }

size_t checked(size_t result) {
  if (ZSTD_isError(result)) throw Error(ExitKind::bug, fmt::format("zstd: {}", ZSTD_getErrorName(result)));
  return result;
}

void append_u32(std::vector<std::byte>& out, uint32_t value) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

uint32_t read_u32(const std::byte* at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= static_cast<uint32_t>(at[i]) << (8 * i);
  return value;
}

uint32_t checksum_of(std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(XXH64(bytes.data(), bytes.size(), 0));
}

void set_profile(ZSTD_CCtx* context, Zstd how) {
  checked(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters));
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1));
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1));
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1));
  if (how == Zstd::match) return;
  // A large target length makes the fast strategy look for matches at few places: what is left are Huffman
  // codes.
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_strategy, ZSTD_fast));
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_targetLength, 64));
  checked(ZSTD_CCtx_setParameter(context, ZSTD_c_literalCompressionMode, ZSTD_lcm_huffman));
}

}  // namespace

FramePacker::FramePacker() : context_(ZSTD_createCCtx(), free_compressor) {}
FramePacker::~FramePacker() = default;
FramePacker::FramePacker(FramePacker&&) noexcept = default;
FramePacker& FramePacker::operator=(FramePacker&&) noexcept = default;

void FramePacker::pack(std::span<const std::byte> plane, Zstd how, std::vector<std::byte>& out,
                       std::vector<FrameEntry>& entries) {
  set_profile(context_.get(), how);
  for (size_t at = 0; at < plane.size(); at += kFrameBytes) {
    const auto piece = plane.subspan(at, std::min<size_t>(kFrameBytes, plane.size() - at));
    const size_t before = out.size();
    out.resize(before + ZSTD_compressBound(piece.size()));
    const size_t packed = checked(
        ZSTD_compress2(context_.get(), out.data() + before, out.size() - before, piece.data(), piece.size()));
    out.resize(before + packed);
    entries.push_back(
        {static_cast<uint32_t>(packed), static_cast<uint32_t>(piece.size()), checksum_of(piece)});
  }
}

Zstd FramePacker::better(std::span<const std::byte> plane) {
  const auto piece = plane.first(std::min<size_t>(plane.size(), kTried));
  std::vector<std::byte> literal, match;
  std::vector<FrameEntry> entries;
  pack(piece, Zstd::literal, literal, entries);
  pack(piece, Zstd::match, match, entries);
  return match.size() < literal.size() ? Zstd::match : Zstd::literal;
}

uint64_t seek_table_bytes(uint64_t frames) { return kHeader + kEntry * frames + kFooter; }

uint64_t largest_packed(uint64_t bytes) {
  const uint64_t frames = frames_of(bytes);
  return frames * ZSTD_compressBound(kFrameBytes) + seek_table_bytes(frames);
}

std::vector<std::byte> seek_table(std::span<const FrameEntry> entries) {
  std::vector<std::byte> table;
  table.reserve(seek_table_bytes(entries.size()));
  append_u32(table, kSkippable);
  append_u32(table, static_cast<uint32_t>(seek_table_bytes(entries.size()) - kHeader));
  for (const FrameEntry& entry : entries) {
    append_u32(table, entry.packed_bytes);
    append_u32(table, entry.bytes);
    append_u32(table, entry.checksum);
  }
  append_u32(table, static_cast<uint32_t>(entries.size()));
  table.push_back(std::byte{kWithChecksums});
  append_u32(table, kSeekable);
  return table;
}

namespace {

void require(bool good, const std::string& what, std::string_view why) {
  if (!good) throw input_error("{}: seek table: {}; the file is damaged", what, why);
}

// The table of `frames`, whose frames and itself fill the plane.
std::vector<FrameEntry> read_table(std::span<const std::byte> tail, uint64_t frames, uint64_t packed_bytes,
                                   const std::string& what) {
  require(tail.size() == seek_table_bytes(frames) && packed_bytes >= tail.size(), what, "cut short");
  const std::byte* footer = tail.data() + tail.size() - kFooter;
  require(read_u32(tail.data()) == kSkippable && read_u32(footer + 5) == kSeekable, what,
          "its marks are missing");
  require(read_u32(tail.data() + 4) == tail.size() - kHeader && read_u32(footer) == frames &&
              footer[4] == std::byte{kWithChecksums},
          what, "its sizes do not fit the tensor");
  std::vector<FrameEntry> entries(frames);
  uint64_t packed = 0;
  for (uint64_t i = 0; i < frames; ++i) {
    const std::byte* at = tail.data() + kHeader + kEntry * i;
    entries[i] = {read_u32(at), read_u32(at + 4), read_u32(at + 8)};
    require(entries[i].bytes <= kFrameBytes && entries[i].packed_bytes <= ZSTD_compressBound(kFrameBytes),
            what, "a frame is larger than it can be");
    packed += entries[i].packed_bytes;
  }
  require(packed + tail.size() == packed_bytes, what, "the frames do not fill the plane");
  return entries;
}

}  // namespace

std::vector<FrameEntry> read_seek_table(std::span<const std::byte> tail, uint64_t bytes,
                                        uint64_t packed_bytes, const std::string& what) {
  const uint64_t frames = frames_of(bytes);
  std::vector<FrameEntry> entries = read_table(tail, frames, packed_bytes, what);
  for (uint64_t i = 0; i < frames; ++i)
    require(entries[i].bytes == std::min(kFrameBytes, bytes - i * kFrameBytes), what,
            "a frame's size does not fit the tensor");
  return entries;
}

uint64_t frames_said(std::span<const std::byte> footer, uint64_t packed_bytes, const std::string& what) {
  require(footer.size() == kFooter && packed_bytes >= seek_table_bytes(0), what, "cut short");
  const uint64_t frames = read_u32(footer.data());
  require(seek_table_bytes(frames) <= packed_bytes, what, "its sizes do not fit the tensor");
  return frames;
}

std::vector<FrameEntry> read_loose_seek_table(std::span<const std::byte> tail, uint64_t packed_bytes,
                                              const std::string& what) {
  require(tail.size() >= seek_table_bytes(0), what, "cut short");
  return read_table(tail, (tail.size() - seek_table_bytes(0)) / kEntry, packed_bytes, what);
}

FrameUnpacker::FrameUnpacker() : context_(ZSTD_createDCtx(), free_decompressor) {
  checked(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kLargestWindowLog));
}
FrameUnpacker::~FrameUnpacker() = default;
FrameUnpacker::FrameUnpacker(FrameUnpacker&&) noexcept = default;
FrameUnpacker& FrameUnpacker::operator=(FrameUnpacker&&) noexcept = default;

void FrameUnpacker::unpack(std::span<const std::byte> frame, const FrameEntry& entry,
                           std::span<std::byte> out, const std::string& what) {
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != entry.bytes)
    throw input_error("{}: a zstd frame says another size than the seek table; the file is damaged", what);
  const size_t got = ZSTD_decompressDCtx(context_.get(), out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(got)) throw input_error("{}: zstd: {}; the file is damaged", what, ZSTD_getErrorName(got));
  if (got != entry.bytes || checksum_of(out.first(got)) != entry.checksum)
    throw input_error("{}: a zstd frame does not have the stated content; the file is damaged", what);
}

}  // namespace mlq::quant
