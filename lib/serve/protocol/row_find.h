// The array at a JSON pointer (tokens of pointer.h).
#pragma once

#include <charconv>
#include <span>
#include <string>

#include "lib/serve/protocol/json_cursor.h"

namespace mlq::serve {

// Takes the whole value before the cursor and calls take_array() in front of the array at `tokens`, which
// must take it; `found` says whether there was one. Fails where a key on the way stands twice.
template <class TakeArray>
bool find_array(JsonCursor& cursor, std::span<const std::string> tokens, bool& found,
                TakeArray&& take_array) {
  const char c = cursor.peek();
  if (tokens.empty()) {
    if (c != '[') return cursor.skip();
    found = true;
    return take_array();
  }
  const auto deeper = [&] { return find_array(cursor, tokens.subspan(1), found, take_array); };
  if (c == '{') {
    bool seen = false;
    return cursor.object([&](std::string_view key, size_t at) {
      if (!string_is(key, tokens[0])) return cursor.skip();
      if (seen) return cursor.fail(at, "the key stands there twice");
      seen = true;
      return deeper();
    });
  }
  if (c == '[') {
    uint64_t index = 0, wanted = 0;
    const auto [end, error] = std::from_chars(tokens[0].data(), tokens[0].data() + tokens[0].size(), wanted);
    const bool number = error == std::errc() && end == tokens[0].data() + tokens[0].size();
    return cursor.array([&] { return number && index++ == wanted ? deeper() : cursor.skip(); });
  }
  return cursor.skip();
}

}  // namespace mlq::serve
