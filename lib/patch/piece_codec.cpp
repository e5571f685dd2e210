#include "lib/patch/piece_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "lib/base/error.h"

namespace mlq::patch {
namespace {

using kernels::WordKind;
using kernels::WordOrder;
using quant::Worker;
using tensorfile::Dtype;

constexpr uint64_t kGapShare = 5;                     // up to one word in so many that change
constexpr uint64_t kTriedBytes = uint64_t{64} << 10;  // of a piece, to choose its codec

uint64_t mask_bytes(uint64_t elems) { return (elems + 7) / 8; }

uint8_t* data_of(std::vector<std::byte>& bytes) { return reinterpret_cast<uint8_t*>(bytes.data()); }

// Calls visit(i) for the bits that are set, the first first.
template <class Visit>
void for_each_set(std::span<const std::byte> mask, const Visit& visit) {
  for (size_t at = 0; at < mask.size(); at += 8) {
    uint64_t bits = 0;
    std::memcpy(&bits, mask.data() + at, std::min<size_t>(8, mask.size() - at));
    for (; bits != 0; bits &= bits - 1) visit(8 * at + static_cast<unsigned>(std::countr_zero(bits)));
  }
}

std::vector<std::byte> gaps_of(std::span<const std::byte> mask, uint64_t changed) {
  std::vector<std::byte> gaps;
  gaps.reserve(2 * changed);
  uint64_t from = 0;
  for_each_set(mask, [&](uint64_t i) {
    uint64_t gap = i - from;
    for (; gap >= 0x80; gap >>= 7) gaps.push_back(static_cast<std::byte>(gap | 0x80));
    gaps.push_back(static_cast<std::byte>(gap));
    from = i + 1;
  });
  return gaps;
}

// To one bit a word; false unless they are `changed` numbers that end within the words.
bool spread_gaps(std::span<const std::byte> gaps, uint64_t elems, uint64_t changed,
                 std::span<std::byte> mask) {
  std::memset(mask.data(), 0, mask.size());
  uint64_t at = 0, gap = 0, count = 0;
  unsigned shift = 0;
  for (const std::byte byte : gaps) {
    const auto value = std::to_integer<uint64_t>(byte);
    gap |= (value & 0x7f) << shift;
    if (value & 0x80) {
      shift += 7;
      if (shift > 28) return false;
      continue;
    }
    if (count == changed || gap >= elems - at) return false;
    at += gap;
    mask[at / 8] |= static_cast<std::byte>(1U << (at % 8));
    ++at;
    ++count;
    gap = shift = 0;
  }
  return count == changed && shift == 0;
}

uint64_t bits_set(std::span<const std::byte> mask) {
  uint64_t count = 0;
  for_each_set(mask, [&](uint64_t) { ++count; });
  return count;
}

bool all_zero(std::span<const std::byte> bytes) {
  std::byte any{0};
  for (const std::byte byte : bytes) any |= byte;
  return any == std::byte{0};
}

// `stride` from the first byte of one plane to that of the next, `size` of which count.
void pack_planes(std::span<const std::byte> planes, unsigned width, uint64_t stride, uint64_t size,
                 Worker& worker, EncodedPiece& out) {
  for (unsigned k = 0; k < width; ++k) {
    const auto plane = planes.subspan(k * stride, size);
    if (all_zero(plane)) continue;
    out.entry.planes = static_cast<uint8_t>(out.entry.planes | 1U << k);
    out.sections.add(plane, worker.packer);
  }
}

EncodedPiece pack_xor(WordKind kind, std::span<const std::byte> base, std::span<const std::byte> next,
                      uint64_t changed, Worker& worker) {
  EncodedPiece out;
  const uint64_t elems = base.size() / kind.width;
  worker.values.resize(base.size());
  kernels::xor_planes_cpu(kind.width, elems, base.data(), next.data(), data_of(worker.values));
  out.entry = {PieceCodec::bit_xor, 0, static_cast<uint32_t>(changed), 0};
  pack_planes(worker.values, kind.width, elems, elems, worker, out);
  return out;
}

// Mask and planes lie in the worker.
EncodedPiece pack_ordered(WordKind kind, PieceCodec codec, uint64_t elems, uint64_t changed, Worker& worker) {
  EncodedPiece out;
  out.entry = {codec, 0, static_cast<uint32_t>(changed), 0};
  const std::span<const std::byte> mask(worker.other.data(), mask_bytes(elems));
  if (codec == PieceCodec::gap) {
    const std::vector<std::byte> gaps = gaps_of(mask, changed);
    out.entry.gap_bytes = static_cast<uint32_t>(gaps.size());
    out.sections.add(gaps, worker.packer);
  } else {
    out.sections.add(mask, worker.packer);
  }
  pack_planes(worker.values, kind.width, elems, changed, worker, out);
  return out;
}

// To the worker's mask and planes; how many words change.
uint64_t take_difference(WordKind kind, std::span<const std::byte> base, std::span<const std::byte> next,
                         Worker& worker) {
  const uint64_t elems = base.size() / kind.width;
  worker.other.resize(mask_bytes(elems));
  worker.values.resize(base.size());
  return kernels::ordered_diff_simd(kind, elems, base.data(), next.data(), data_of(worker.other),
                                    data_of(worker.values), elems);
}

PieceCodec smaller_dense(WordKind kind, std::span<const std::byte> base, std::span<const std::byte> next,
                         Worker& worker) {
  const size_t size = std::min<size_t>(base.size(), kTriedBytes);
  const uint64_t changed = take_difference(kind, base.first(size), next.first(size), worker);
  const size_t bitmap =
      pack_ordered(kind, PieceCodec::bitmap, size / kind.width, changed, worker).sections.packed.size();
  const size_t xored =
      pack_xor(kind, base.first(size), next.first(size), changed, worker).sections.packed.size();
  return xored < bitmap ? PieceCodec::bit_xor : PieceCodec::bitmap;
}

uint32_t read_u32(const std::byte* at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= std::to_integer<uint32_t>(at[i]) << (8 * i);
  return value;
}

}  // namespace

WordKind word_kind(Dtype dtype) {
  switch (dtype) {
    case Dtype::f8_e5m2:
    case Dtype::f8_e4m3:
    case Dtype::f8_e4m3fnuz:
    case Dtype::f8_e5m2fnuz:
      return {1, WordOrder::sign_magnitude};
    case Dtype::f16:
    case Dtype::bf16:
      return {2, WordOrder::sign_magnitude};
    case Dtype::f32:
    case Dtype::c64:
      return {4, WordOrder::sign_magnitude};
    case Dtype::f64:
      return {8, WordOrder::sign_magnitude};
    default:
      return {std::max(1U, tensorfile::bits_per_element(dtype) / 8), WordOrder::integer};
  }
}

std::string_view name_of(PieceCodec codec) {
  switch (codec) {
    case PieceCodec::unchanged:
      return "unchanged";
    case PieceCodec::gap:
      return "gap";
    case PieceCodec::bitmap:
      return "bitmap";
    case PieceCodec::bit_xor:
      return "xor";
  }
  return "";
}

void append_entry(const PieceEntry& entry, std::vector<std::byte>& out) {
  out.push_back(static_cast<std::byte>(entry.codec));
  out.push_back(static_cast<std::byte>(entry.planes));
  out.insert(out.end(), 2, std::byte{0});
  for (const uint32_t number : {entry.changed, entry.gap_bytes})
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(number >> (8 * i)));
}

PieceEntry read_entry(std::span<const std::byte> from, WordKind kind, uint64_t bytes,
                      const std::string& what) {
  const auto codec = std::to_integer<uint8_t>(from[0]);
  const PieceEntry entry{static_cast<PieceCodec>(codec), std::to_integer<uint8_t>(from[1]),
                         read_u32(&from[4]), read_u32(&from[8])};
  const uint64_t elems = bytes / kind.width;
  const bool gap = entry.codec == PieceCodec::gap, none = entry.codec == PieceCodec::unchanged;
  // A gap below 2^28 takes at most four bytes.
  const bool good =
      codec <= static_cast<uint8_t>(PieceCodec::bit_xor) && from[2] == std::byte{0} &&
      from[3] == std::byte{0} && entry.planes >> kind.width == 0 && entry.changed <= elems &&
      none == (entry.changed == 0) && none == (entry.planes == 0) &&
      (gap ? entry.gap_bytes >= entry.changed && entry.gap_bytes / 4 <= entry.changed : entry.gap_bytes == 0);
  if (!good) throw input_error("{}: says of a piece what cannot be; the file is damaged", what);
  return entry;
}

std::vector<uint64_t> section_sizes(const PieceEntry& entry, WordKind kind, uint64_t bytes) {
  if (entry.codec == PieceCodec::unchanged) return {};
  std::vector<uint64_t> sizes;
  const uint64_t elems = bytes / kind.width;
  if (entry.codec == PieceCodec::gap) sizes.push_back(entry.gap_bytes);
  if (entry.codec == PieceCodec::bitmap) sizes.push_back(mask_bytes(elems));
  sizes.insert(sizes.end(), static_cast<size_t>(std::popcount(entry.planes)),
               entry.codec == PieceCodec::bit_xor ? elems : entry.changed);
  return sizes;
}

EncodedPiece encode_piece(WordKind kind, std::span<const std::byte> base, std::span<const std::byte> next,
                          std::optional<PieceCodec> codec, Worker& worker) {
  const uint64_t elems = base.size() / kind.width;
  uint64_t changed = take_difference(kind, base, next, worker);
  if (changed == 0) return {};
  if (!codec) {
    codec = PieceCodec::gap;
    if (changed * kGapShare > elems) {
      codec = smaller_dense(kind, base, next, worker);
      if (codec == PieceCodec::bitmap) take_difference(kind, base, next, worker);
    }
  }
  if (*codec == PieceCodec::bit_xor) return pack_xor(kind, base, next, changed, worker);
  return pack_ordered(kind, *codec, elems, changed, worker);
}

void decode_piece(WordKind kind, const PieceEntry& entry, std::span<const std::byte> sections,
                  std::span<std::byte> words, Worker& worker, const std::string& what) {
  if (entry.codec == PieceCodec::unchanged) return;
  const uint64_t elems = words.size() / kind.width;
  const bool xored = entry.codec == PieceCodec::bit_xor;
  const uint64_t plane_bytes = xored ? elems : entry.changed;
  std::span<const std::byte> mask;
  if (entry.codec == PieceCodec::gap) {
    worker.other.resize(mask_bytes(elems));
    if (!spread_gaps(sections.first(entry.gap_bytes), elems, entry.changed, worker.other))
      throw input_error("{}: the gaps of a piece do not fit it; the file is damaged", what);
    mask = worker.other;
    sections = sections.subspan(entry.gap_bytes);
  } else if (!xored) {
    mask = sections.first(mask_bytes(elems));
    const unsigned behind = static_cast<unsigned>(8 * mask.size() - elems);
    if (bits_set(mask) != entry.changed ||
        (behind > 0 && std::to_integer<unsigned>(mask.back()) >> (8 - behind) != 0))
      throw input_error("{}: the bitmap of a piece does not fit it; the file is damaged", what);
    sections = sections.subspan(mask.size());
  }
  worker.values.assign(kind.width * plane_bytes, std::byte{0});
  for (unsigned k = 0; k < kind.width; ++k) {
    if ((entry.planes >> k & 1U) == 0) continue;
    std::memcpy(worker.values.data() + k * plane_bytes, sections.data(), plane_bytes);
    sections = sections.subspan(plane_bytes);
  }
  if (xored)
    kernels::xor_unplanes_cpu(kind.width, elems, data_of(worker.values), words.data());
  else
    kernels::ordered_patch_cpu(kind, elems, reinterpret_cast<const uint8_t*>(mask.data()),
                               data_of(worker.values), plane_bytes, words.data());
}

}  // namespace mlq::patch
