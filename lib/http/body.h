// Buffers that messages are put together in. Internal to lib/http.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/http/server.h"

namespace mlq::http {

constexpr size_t kKeptBytes = 64 * 1024;  // buffers larger than this are given back

inline void give_back_if_large(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBytes + kBodyPadding) buffer = std::string();
}

// Appends, so that kBodyPadding bytes are spare behind it. Memory grows with what has come, not with what was
// announced: `expected` bytes in all, or UINT64_MAX.
inline void append_padded(std::string& body, std::string_view piece, uint64_t expected) {
  const size_t size = body.size() + piece.size();
  if (size + kBodyPadding > body.capacity()) {
    const size_t ahead = body.empty() && expected == UINT64_MAX ? size : 2 * size;
    body.reserve(std::min<uint64_t>(ahead, expected) + kBodyPadding);
  }
  body.append(piece);
}

inline void append_number(std::string& out, uint64_t value, int base = 10) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value, base).ptr);
}

}  // namespace mlq::http
