// Server-sent events: however a stream is cut, and whichever line end it uses, its events are the same.
#include <string>
#include <vector>

#include "lib/http/sse.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

struct Got {
  std::vector<std::string> events;
  bool failed = false;
  std::optional<uint64_t> retry_ms;
  bool operator==(const Got&) const = default;
};

void take(http::SseParser& parser, std::string_view piece, Got& got) {
  const std::vector<char> chunk(piece.begin(), piece.end());  // alone in memory, and gone afterwards
  parser.feed({chunk.data(), chunk.size()});
  for (http::SseEvent event; parser.next(event);) {
    got.events.push_back(std::string(event.type) + '\n' + std::string(event.id) + '\n' +
                         std::string(event.data));
  }
}

Got events_of(std::string_view text, size_t step, size_t limit) {
  http::SseParser parser(limit);
  Got got;
  for (size_t at = 0; at < text.size(); at += step) take(parser, text.substr(at, step), got);
  got.failed = parser.failed();
  got.retry_ms = parser.retry_ms();
  return got;
}

Got events_cut_at(std::string_view text, size_t cut, size_t limit) {
  http::SseParser parser(limit);
  Got got;
  take(parser, text.substr(0, cut), got);
  take(parser, text.substr(cut), got);
  got.failed = parser.failed();
  got.retry_ms = parser.retry_ms();
  return got;
}

std::string with_ends(std::string_view text, std::string_view end) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += end;
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const std::string_view text = text_of(data, size);
  for (const size_t limit : {size_t{24}, size_t{1} << 20}) {
    const Got whole = events_of(text, size + 1, limit);
    for (const size_t step : {1, 2, 3, 7, 64}) MLQ_FUZZ_CLAIM(events_of(text, step, limit) == whole);
    for (size_t cut = 0; cut < size && cut < 64; ++cut)
      MLQ_FUZZ_CLAIM(events_cut_at(text, cut, limit) == whole);
    if (text.find('\r') != text.npos) continue;
    for (const char* end : {"\r", "\r\n"}) MLQ_FUZZ_CLAIM(events_of(with_ends(text, end), 5, limit) == whole);
  }
  return 0;
}
