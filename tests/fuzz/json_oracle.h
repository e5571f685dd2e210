// Is a text JSON in the eyes of simdjson's full parser?
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

namespace mlq::fuzz {

// Numbers of JSON grammar are replaced by 0, since simdjson refuses those that fit no double and no integer.
inline std::string with_short_numbers(std::string_view text) {
  std::string out;
  bool string = false;
  for (size_t k = 0; k < text.size(); ++k) {
    const char c = text[k];
    if (!string && (c == '-' || (c >= '0' && c <= '9'))) {
      size_t end = text.find_first_not_of("0123456789+-.eE", k);
      if (end == std::string_view::npos) end = text.size();
      std::string token(text.substr(k, end - k));
      // A sign, an integer without leading zero, a fraction, an exponent; by another way than the library's.
      size_t at = token[0] == '-' ? 1 : 0;
      const auto digits = [&] {
        const size_t from = at;
        at = std::min(token.find_first_not_of("0123456789", at), token.size());
        return at - from;
      };
      const size_t whole_at = at;
      const size_t whole = digits();
      bool good = whole > 0 && (whole == 1 || token[whole_at] != '0');
      if (good && at < token.size() && token[at] == '.') ++at, good = digits() > 0;
      if (good && at < token.size() && (token[at] | 0x20) == 'e') {
        ++at;
        if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
        good = digits() > 0;
      }
      out += good && at == token.size() ? "0" : "?";
      k = end - 1;
      continue;
    }
    if (c == '"') string = !string;
    out += c;
    if (string && c == '\\' && k + 1 < text.size()) out += text[++k];
  }
  return out;
}

inline bool is_json(std::string_view text) {
  simdjson::dom::parser parser;
  return parser.parse(simdjson::padded_string(with_short_numbers(text))).error() == simdjson::SUCCESS;
}

}  // namespace mlq::fuzz
