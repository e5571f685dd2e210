#include "lib/jsonl/buffer.h"

#include <algorithm>
#include <cmath>

#include "lib/jsonl/utf8.h"

namespace mlq::jsonl {
namespace {

constexpr bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; }

void escape(Buffer& out, unsigned char c) {
  constexpr std::string_view hex = "0123456789abcdef";
  switch (c) {
    case '"':
      return out.raw("\\\"");
    case '\\':
      return out.raw("\\\\");
    case '\n':
      return out.raw("\\n");
    case '\r':
      return out.raw("\\r");
    case '\t':
      return out.raw("\\t");
    default:
      out.raw("\\u00");
      out.raw(hex[c >> 4]);
      out.raw(hex[c & 15]);
  }
}

}  // namespace

void Buffer::grow(size_t n) {
  const size_t capacity = std::max({capacity_ * 2, size_ + n, size_t{256}});
  auto bigger = std::make_unique_for_overwrite<char[]>(capacity);
  if (size_ > 0) std::memcpy(bigger.get(), data_.get(), size_);
  data_ = std::move(bigger);
  capacity_ = capacity;
}

void Buffer::number(double value) {
  if (!std::isfinite(value)) return raw("null");
  char* at = reserve(32);
  // Past 2^63 the shortest form may be a row of digits, which readers of JSON take for an integer out of
  // range.
  const auto end = std::fabs(value) < 0x1p63
                       ? std::to_chars(at, at + 32, value)
                       : std::to_chars(at, at + 32, value, std::chars_format::scientific);
  size_ += static_cast<size_t>(end.ptr - at);
}

size_t Buffer::string(std::string_view text) {
  size_t replaced = 0;
  raw('"');
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && is_plain(static_cast<unsigned char>(text[plain]))) ++plain;
    raw(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text.front());
    if (c < 0x80) {
      escape(*this, c);
      text.remove_prefix(1);
    } else if (const size_t length = utf8_length(text); length > 0) {
      raw(text.substr(0, length));
      text.remove_prefix(length);
    } else {
      raw("\xEF\xBF\xBD");
      ++replaced;
      text.remove_prefix(1);
    }
  }
  raw('"');
  return replaced;
}

}  // namespace mlq::jsonl
