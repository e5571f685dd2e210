// The plain part of a JSON string.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace mlq::serve {

inline bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

// How many bytes at the start of `text` are ASCII, no control character, no quote and no backslash. Eight at
// a time: the top bit of each byte of `odd` says whether that byte is none of these.
inline size_t plain_prefix(std::string_view text) {
  constexpr uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
  size_t k = 0;
  if constexpr (std::endian::native == std::endian::little) {
    for (; k + 8 <= text.size(); k += 8) {
      uint64_t word;
      std::memcpy(&word, text.data() + k, 8);
      const auto zero_bytes = [](uint64_t x) { return (x - ones) & ~x; };
      const uint64_t odd =
          (word | (word - ones * 0x20) | zero_bytes(word ^ (ones * '"')) | zero_bytes(word ^ (ones * '\\'))) &
          tops;
      // A borrow can mark bytes above the first odd one, never below it.
      if (odd != 0) return k + static_cast<size_t>(std::countr_zero(odd)) / 8;
    }
  }
  while (k < text.size() && is_plain(static_cast<unsigned char>(text[k]))) ++k;
  return k;
}

}  // namespace mlq::serve
