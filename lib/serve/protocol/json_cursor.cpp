#include "lib/serve/protocol/json_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "lib/jsonl/utf8.h"
#include "lib/serve/protocol/plain_text.h"

namespace mlq::serve {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The code unit of "\uXXXX" at the start of `text`; none if it is not one.
std::optional<uint32_t> code_unit(std::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  uint32_t unit = 0;
  for (size_t k = 2; k < 6; ++k) {
    const int digit = hex_value(text[k]);
    if (digit < 0) return std::nullopt;
    unit = unit * 16 + static_cast<uint32_t>(digit);
  }
  return unit;
}

bool is_high_surrogate(uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

// The length of the escape that `text` begins with (12 for a pair of surrogates); 0 if it is not legal.
size_t escape_length(std::string_view text, JsonRules rules) {
  if (text.size() < 2) return 0;
  if (std::string_view("\"\\/bfnrt").find(text[1]) != std::string_view::npos) return 2;
  const auto unit = code_unit(text);
  if (!unit) return 0;
  if (is_high_surrogate(*unit)) {
    const auto second = code_unit(text.substr(6));
    if (second && is_low_surrogate(*second)) return 12;
  } else if (!is_low_surrogate(*unit)) {
    return 6;
  }
  return rules == JsonRules::liberal ? 6 : 0;  // a lone surrogate stands for no character
}

void append_utf8(std::string& out, uint32_t point) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | (point >> 12));
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xF0 | (point >> 18));
    tail(12), tail(6), tail(0);
  }
}

// Appends what the escape at the start of `text` stands for; returns its length, at least 1.
size_t append_escape(std::string& out, std::string_view text) {
  const size_t length = escape_length(text, JsonRules::liberal);
  if (length == 2) {
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    out += meanings[letters.find(text[1])];
  } else if (length == 6) {
    const uint32_t unit = *code_unit(text);
    append_utf8(out, is_high_surrogate(unit) || is_low_surrogate(unit) ? 0xFFFD : unit);
  } else if (length == 12) {
    append_utf8(out, 0x10000 + ((*code_unit(text) - 0xD800) << 10) + (*code_unit(text.substr(6)) - 0xDC00));
  } else {
    out += text[0];
    return 1;
  }
  return length;
}

std::string shown(std::string_view text, size_t at) {
  if (at >= text.size()) return "the text ends";
  const auto c = static_cast<unsigned char>(text[at]);
  return c > 0x20 && c < 0x7F ? fmt::format("'{}' stands", text[at]) : fmt::format("byte 0x{:02X} stands", c);
}

}  // namespace

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

void append_without_blanks(std::string_view json, std::string& out) {
  out.reserve(out.size() + json.size());
  for (size_t k = 0; k < json.size();) {
    const size_t begin = k;
    if (json[k] == '"') {
      k += std::max(string_length(json.substr(k), JsonRules::liberal), size_t{1});
    } else {
      while (k < json.size() && json[k] != '"' && !is_blank(json[k])) ++k;
    }
    out.append(json.substr(begin, k - begin));
    while (k < json.size() && is_blank(json[k])) ++k;
  }
}

size_t number_length(std::string_view text) {
  const auto at = [&](size_t k) { return k < text.size() ? text[k] : '\0'; };
  size_t k = at(0) == '-' ? 1 : 0;
  const auto digits = [&] {
    const size_t begin = k;
    while (is_digit(at(k))) ++k;
    return k > begin;
  };
  if (at(k) == '0') {
    ++k;
    if (is_digit(at(k))) return 0;
  } else if (!digits()) {
    return 0;
  }
  if (at(k) == '.') {
    ++k;
    if (!digits()) return 0;
  }
  if (at(k) == 'e' || at(k) == 'E') {
    ++k;
    if (at(k) == '+' || at(k) == '-') ++k;
    if (!digits()) return 0;
  }
  return k;
}

size_t string_length(std::string_view text, JsonRules rules) {
  size_t k = 1;
  while (true) {
    k += plain_prefix(text.substr(k));
    if (k >= text.size()) return 0;
    const auto c = static_cast<unsigned char>(text[k]);
    if (c == '"') return k + 1;
    if (c == '\\') {
      const size_t length = escape_length(text.substr(k), rules);
      if (length == 0) return 0;
      k += length;
    } else if (rules == JsonRules::liberal) {
      ++k;
    } else {
      const size_t length = c < 0x20 ? 0 : jsonl::utf8_length(text.substr(k));
      if (length == 0) return 0;
      k += length;
    }
  }
}

std::string unescaped(std::string_view raw) {
  std::string out;
  while (!raw.empty()) {
    const size_t plain = std::min(raw.find('\\'), raw.size());
    out.append(raw.substr(0, plain));
    raw.remove_prefix(plain);
    if (!raw.empty()) raw.remove_prefix(append_escape(out, raw));
  }
  return out;
}

bool same_string(std::string_view raw_a, std::string_view raw_b) {
  if (raw_a == raw_b) return true;
  const auto escaped = [](std::string_view raw) { return raw.find('\\') != std::string_view::npos; };
  return (escaped(raw_a) || escaped(raw_b)) && unescaped(raw_a) == unescaped(raw_b);
}

bool string_is(std::string_view raw, std::string_view plain) {
  return raw.find('\\') == std::string_view::npos ? raw == plain : unescaped(raw) == plain;
}

char JsonCursor::peek() {
  while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonCursor::fail(size_t offset, std::string message) {
  if (!error_) error_ = JsonError{offset, std::move(message)};
  return false;
}

bool JsonCursor::take(char c) {
  if (peek() != c || at_ >= text_.size())
    return fail(at_, fmt::format("'{}' is missing, {} there", c, shown(text_, at_)));
  ++at_;
  return true;
}

bool JsonCursor::open(char c) {
  if (!take(c)) return false;
  if (++depth_ > kMaxDepth) return fail(at_ - 1, fmt::format("nested more than {} deep", kMaxDepth));
  return true;
}

bool JsonCursor::string(std::string_view& raw) {
  if (peek() != '"') return fail(at_, fmt::format("a string is missing, {} there", shown(text_, at_)));
  const size_t length = string_length(text_.substr(at_), rules_);
  if (length == 0)
    return fail(at_, "the string here has no end, an illegal escape or bytes that are no UTF-8");
  raw = text_.substr(at_ + 1, length - 2);
  at_ += length;
  return true;
}

bool JsonCursor::scalar() {
  const std::string_view rest = text_.substr(at_);
  size_t length = number_length(rest);
  const auto literal = [&](std::string_view word) {
    if (length == 0 && rest.starts_with(word)) length = word.size();
  };
  for (const std::string_view word : {"true", "false", "null"}) literal(word);
  if (rules_ == JsonRules::liberal)
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) literal(word);
  if (length == 0) return fail(at_, fmt::format("a value is missing, {} there", shown(text_, at_)));
  at_ += length;
  return true;
}

bool JsonCursor::skip() {
  std::string_view ignored;
  switch (peek()) {
    case '{':
      return object([this](std::string_view, size_t) { return skip(); });
    case '[':
      return array([this] { return skip(); });
    case '"':
      return string(ignored);
    default:
      return scalar();
  }
}

bool JsonCursor::value(std::string_view& raw) {
  peek();
  const size_t begin = at_;
  if (!skip()) return false;
  raw = text_.substr(begin, at_ - begin);
  return true;
}

bool JsonCursor::unsigned_integer(uint64_t& value) {
  peek();
  const std::string_view rest = text_.substr(at_);
  const size_t length = number_length(rest);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + length, value);
  if (length == 0 || error != std::errc() || end != rest.data() + length)
    return fail(at_, "an integer from 0 to 2^64-1 is missing here");
  at_ += length;
  return true;
}

bool JsonCursor::at_end() {
  peek();
  return at_ == text_.size() ||
         fail(at_, fmt::format("{} behind the end of the JSON text", shown(text_, at_)));
}

}  // namespace mlq::serve
