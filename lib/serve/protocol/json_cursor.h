// A strict reader of JSON text (RFC 8259) that goes over it once and hands out what stands there, as written.
// It builds nothing and unescapes nothing: what it has passed over is valid and can be copied elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/serve/protocol/request.h"

namespace mlq::serve {

// strict: for what clients send. liberal: for what containers send; also takes NaN, Infinity and -Infinity,
// and does not look into strings beyond their escapes, so that a reply is passed on as it is.
enum class JsonRules : uint8_t { strict, liberal };

struct JsonError {
  size_t offset = 0;
  std::string message;
};

inline bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
std::string_view trim_blanks(std::string_view text);
// `json` is valid, or a part of valid JSON text that cuts no string.
void append_without_blanks(std::string_view json, std::string& out);
// Strict and complete: a minus, an integer part, a fraction, an exponent. Returns the length of the number
// that `text` begins with; 0 if it begins with none.
size_t number_length(std::string_view text);
// `text` begins with a quote: the length of the string with both quotes; 0 if it is not one.
size_t string_length(std::string_view text, JsonRules rules);

// The string that stands between two quotes, unescaped; lone surrogates become U+FFFD.
std::string unescaped(std::string_view raw);
bool same_string(std::string_view raw_a, std::string_view raw_b);
bool string_is(std::string_view raw, std::string_view plain);

// Every function that returns false has set the error and moves no further. Not thread-safe.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text, JsonRules rules = JsonRules::strict)
      : text_(text), rules_(rules) {}

  // The next character that is no blank, without taking it; '\0' at the end.
  char peek();
  // After peek(): where that character is.
  size_t offset() const { return at_; }
  void go_to(size_t offset) { at_ = offset; }
  std::string_view text() const { return text_; }

  // Calls member(key, key_offset) for each member, with the cursor before the value, which it must take; the
  // key is as written between its quotes. Stops when member returns false.
  template <class Member>
  bool object(Member&& member);
  // Calls element() for each element, with the cursor before it.
  template <class Element>
  bool array(Element&& element);
  // Takes a string: what stands between its quotes.
  bool string(std::string_view& raw);
  // Takes any value, as written.
  bool value(std::string_view& raw);
  bool skip();
  // Takes a number that is an integer from 0 to 2^64-1.
  bool unsigned_integer(uint64_t& value);
  bool at_end();  // nothing but blanks is left

  bool fail(size_t offset, std::string message);
  bool failed() const { return error_.has_value(); }
  const std::optional<JsonError>& error() const { return error_; }

 private:
  bool take(char c);
  bool open(char c);
  bool scalar();

  std::string_view text_;
  JsonRules rules_;
  size_t at_ = 0;
  size_t depth_ = 0;
  std::optional<JsonError> error_;
};

template <class Member>
bool JsonCursor::object(Member&& member) {
  if (!open('{')) return false;
  if (peek() == '}') return take('}') && (--depth_, true);
  while (true) {
    std::string_view key;
    peek();
    const size_t key_offset = at_;
    if (!string(key) || !take(':')) return false;
    if (!member(key, key_offset)) return false;
    if (peek() != ',') break;
    ++at_;
  }
  --depth_;
  return take('}');
}

template <class Element>
bool JsonCursor::array(Element&& element) {
  if (!open('[')) return false;
  if (peek() == ']') return take(']') && (--depth_, true);
  while (true) {
    if (!element()) return false;
    if (peek() != ',') break;
    ++at_;
  }
  --depth_;
  return take(']');
}

}  // namespace mlq::serve
