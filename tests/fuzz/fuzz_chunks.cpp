// Chunked bodies: however they are cut, they are read as a plain reader of the whole text reads them.
#include <optional>
#include <string>

#include "lib/http/message.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

struct Got {
  std::string data;
  std::string rest;
  bool done = false;
  bool operator==(const Got&) const = default;
};

std::optional<Got> in_steps(std::string_view text, size_t step) {
  http::ChunkReader chunks;
  Got got;
  for (size_t at = 0; at < text.size(); at += step) {
    const std::string part(text.substr(at, step));  // alone in memory, and gone afterwards
    std::string_view bytes = part;
    for (std::string_view piece; !(piece = chunks.next(bytes)).empty();) got.data += piece;
    if (chunks.failed()) return std::nullopt;
    MLQ_FUZZ_CLAIM(bytes.empty() || chunks.done());
    got.rest += bytes;
  }
  got.done = chunks.done();
  return got;
}

// A line that ends in CR LF, without its end; null if there is none.
std::optional<std::string_view> line_of(std::string_view& text) {
  const size_t end = text.find("\r\n");
  if (end == text.npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  for (const char c : line)
    if ((static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7F) return std::nullopt;
  return line;
}

// Only of whole bodies. By RFC 9112, section 7.1.
std::optional<Got> plain(std::string_view text) {
  Got got;
  while (true) {
    const auto line = line_of(text);
    if (!line) return std::nullopt;
    const std::string_view digits = line->substr(0, line->find(';'));
    if (digits.empty() || digits.size() > 15 ||
        digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos)
      return std::nullopt;
    const size_t size = std::stoull(std::string(digits), nullptr, 16);
    if (size == 0) break;
    if (text.size() < size + 2 || text.substr(size, 2) != "\r\n") return std::nullopt;
    got.data += text.substr(0, size);
    text.remove_prefix(size + 2);
  }
  for (auto line = line_of(text);; line = line_of(text)) {
    if (!line) return std::nullopt;
    if (line->empty()) break;
  }
  got.rest = text;
  got.done = true;
  return got;
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const std::string_view text = text_of(data, size);
  const auto whole = in_steps(text, size + 1);
  for (const size_t step : {1, 2, 5, 64}) MLQ_FUZZ_CLAIM(in_steps(text, step) == whole);
  const auto expected = plain(text);
  if (size <= mlq::http::ChunkReader::kMaxExtra) MLQ_FUZZ_CLAIM(!expected || expected == whole);
  MLQ_FUZZ_CLAIM(!whole || !whole->done || whole == expected);
  return 0;
}
