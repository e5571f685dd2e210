// Zip archives and pickles as bytes, whole or spoilt.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mlq::tensorfile::test {

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(static_cast<uint64_t>(value) >> 8 * i);
  return bytes;
}
inline std::string u16(uint64_t value) { return little_endian(static_cast<uint16_t>(value)); }
inline std::string u32(uint64_t value) { return little_endian(static_cast<uint32_t>(value)); }
inline std::string u64(uint64_t value) { return little_endian(value); }

struct ZipPart {
  std::string name;
  std::string data;
  uint16_t flags = 0;
  uint16_t method = 0;
  std::string local_name = name;  // in the header before the data
  std::string local_extra = {};
  int64_t header_shift = 0;  // added to where the directory says that the header is
  int64_t size_shift = 0;    // added to the size that the directory says
};

inline std::string zip(const std::vector<ZipPart>& parts, std::string_view comment = "", bool zip64 = false) {
  std::string out, directory;
  for (const ZipPart& part : parts) {
    const uint64_t at = out.size() + static_cast<uint64_t>(part.header_shift);
    const uint64_t size = part.data.size() + static_cast<uint64_t>(part.size_shift);
    out += u32(0x04034b50) + u16(20) + u16(part.flags) + u16(part.method) + u32(0) + u32(0) +
           u32(part.data.size()) + u32(part.data.size()) + u16(part.local_name.size()) +
           u16(part.local_extra.size()) + part.local_name + part.local_extra + part.data;
    const std::string wide = zip64 ? u16(1) + u16(24) + u64(size) + u64(size) + u64(at) : "";
    const uint64_t full = 0xffffffff;
    directory += u32(0x02014b50) + u16(20) + u16(20) + u16(part.flags) + u16(part.method) + u32(0) + u32(0) +
                 u32(zip64 ? full : size) + u32(zip64 ? full : size) + u16(part.name.size()) +
                 u16(wide.size()) + u16(0) + u16(0) + u16(0) + u32(0) + u32(zip64 ? full : at) + part.name +
                 wide;
  }
  const uint64_t begin = out.size(), end = begin + directory.size();
  out += directory;
  if (zip64) {
    out += u32(0x06064b50) + u64(44) + u16(45) + u16(45) + u32(0) + u32(0) + u64(parts.size()) +
           u64(parts.size()) + u64(directory.size()) + u64(begin);
    out += u32(0x07064b50) + u32(0) + u64(end) + u32(1);
  }
  const uint64_t entries = zip64 ? 0xffff : parts.size();
  return out + u32(0x06054b50) + u16(0) + u16(0) + u16(entries) + u16(entries) +
         u32(zip64 ? 0xffffffff : directory.size()) + u32(zip64 ? 0xffffffff : begin) + u16(comment.size()) +
         std::string(comment);
}

// Pieces of pickles.
inline std::string text(std::string_view value) { return "X" + u32(value.size()) + std::string(value); }
inline std::string number(uint64_t value) { return "J" + u32(value); }
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}
inline std::string numbers(const std::vector<uint64_t>& values) {
  std::vector<std::string> items;
  for (const uint64_t value : values) items.push_back(number(value));
  return tuple(items);
}
// A float tensor in storage "0".
inline std::string tensor(uint64_t elems, uint64_t offset, const std::vector<uint64_t>& size,
                          const std::vector<uint64_t>& stride) {
  const std::string id =
      tuple({text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), number(elems)});
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({id + "Q", number(offset), numbers(size), numbers(stride), "\x89",
                global("collections", "OrderedDict") + ")R"}) +
         "R";
}
inline std::string pickle(const std::string& object) { return "\x80\x02" + object + "."; }
// A dictionary of one tensor.
inline std::string pickle_of(std::string_view name, const std::string& value) {
  return pickle("}" + text(name) + value + "s");
}

}  // namespace mlq::tensorfile::test
