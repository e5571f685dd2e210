#include "lib/gather/wire.h"

#include <bit>
#include <cstring>

#include "lib/base/error.h"

namespace mlq::gather {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kAlignment = 16;
constexpr uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

WireHeader make_header(const Settings& settings, const Frame& frame, unsigned rank, unsigned ranks) {
  WireHeader header{};
  header.magic = WireHeader::kMagic;
  header.version = WireHeader::kVersion;
  header.flags = frame.key ? uint16_t{WireHeader::key} : uint16_t{0};
  header.rank = rank;
  header.ranks = ranks;
  header.step = frame.step;
  header.code_bits =
      is_raw(settings, frame) ? uint8_t{0} : static_cast<uint8_t>(spec_of(settings, frame).bits);
  header.cancel = static_cast<uint8_t>(settings.cancel);
  header.log2_block = static_cast<uint8_t>(std::countr_zero(settings.block));
  header.scale = static_cast<uint8_t>(settings.scale);
  return header;
}

WireHeader parse_header(std::span<const std::byte> bytes, uint64_t room, const Settings& settings,
                        const Frame& frame, std::string_view where) {
  WireHeader header{};
  if (bytes.size() < sizeof header)
    throw input_error("{}: {} bytes are no gather header", where, bytes.size());
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != WireHeader::kMagic) throw input_error("{}: does not begin with MLQG", where);
  if (header.version != WireHeader::kVersion)
    throw input_error("{}: is of version {} of the wire; this program speaks {}", where, header.version,
                      WireHeader::kVersion);
  const WireHeader expected = make_header(settings, frame, header.rank, header.ranks);
  if (header.rank >= header.ranks || header.zero != 0) throw input_error("{}: its header is damaged", where);
  if (header.step != expected.step)
    throw input_error("{}: is of step {}, not {}", where, header.step, expected.step);
  if (header.flags != expected.flags || header.code_bits != expected.code_bits ||
      header.cancel != expected.cancel || header.log2_block != expected.log2_block ||
      header.scale != expected.scale)
    throw input_error("{}: is of another format; start all ranks with the same options", where);
  if (header.payload_bytes > room)
    throw input_error("{}: states {} bytes and has {}", where, header.payload_bytes, room);
  return header;
}

Packing pack_parts(const Settings& settings, const Frame& frame, std::span<const Part> parts,
                   std::span<const uint64_t> plain_bytes) {
  Packing packing;
  packing.parts.resize(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    packing.parts[i].codes = packing.payload_bytes;
    packing.payload_bytes += aligned(code_bytes(settings, frame, parts[i].elems));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    packing.parts[i].scales = packing.payload_bytes;
    packing.payload_bytes += aligned(scale_bytes(settings, frame, parts[i].elems));
  }
  for (const uint64_t bytes : plain_bytes) {
    packing.plain.push_back(packing.payload_bytes);
    packing.payload_bytes += aligned(bytes);
  }
  return packing;
}

}  // namespace mlq::gather
