// Fuzz inputs of HTTP bodies: a first line with the value of Inference-Header-Content-Length, or "-" if there
// is none, then the body.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mlq::fuzz {

inline std::string_view body_of(std::string_view text, std::optional<uint64_t>& json_bytes) {
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return text;
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + line, bytes);
  if (error == std::errc() && end == text.data() + line) json_bytes = bytes;
  return text.substr(line + 1);
}

}  // namespace mlq::fuzz
