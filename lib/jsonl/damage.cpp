#include "lib/jsonl/damage.h"

#include <algorithm>

namespace mlq::jsonl {
namespace {

constexpr int kDeepest = 1000;

// Walks over the text as far as it is JSON: `at` is where it is not.
struct Walk {
  std::string_view text;
  size_t at = 0;
  int depth = 0;

  bool is(char c) const { return at < text.size() && text[at] == c; }
  bool take(char c) {
    if (!is(c)) return false;
    ++at;
    return true;
  }
  void space() { at = std::min(text.find_first_not_of(" \t\r\n", at), text.size()); }

  bool string() {
    if (!is('"')) return false;
    for (size_t k = at + 1; k < text.size(); k += text[k] == '\\' ? 2 : 1) {
      if (static_cast<unsigned char>(text[k]) < 0x20) return false;  // not closed on its line
      if (text[k] != '"') continue;
      at = k + 1;
      return true;
    }
    return false;
  }
  bool plain() {
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!text.substr(at).starts_with(word)) continue;
      at += word.size();
      return true;
    }
    const size_t end = std::min(text.find_first_not_of("+-.0123456789eE", at), text.size());
    const bool some = end > at;
    at = end;
    return some;
  }
  bool members(char close, bool named) {
    ++at;
    space();
    if (take(close)) return true;
    do {
      space();
      if (named) {
        if (!string()) return false;
        space();
        if (!take(':')) return false;
      }
      if (!value()) return false;
      space();
    } while (take(','));
    return take(close);
  }
  bool value() {
    space();
    if (++depth > kDeepest) return false;
    const bool good = is('{')   ? members('}', true)
                      : is('[') ? members(']', false)
                      : is('"') ? string()
                                : plain();
    --depth;
    return good;
  }
};

}  // namespace

std::string damage_place(std::string_view text) {
  Walk walk{text};
  if (walk.value()) {
    walk.space();
    if (walk.at == text.size()) return "";
  }
  if (walk.at >= text.size()) return ": it ends too early";
  const std::string_view before = text.substr(0, walk.at);
  const auto line = std::ranges::count(before, '\n') + 1;
  const size_t column = before.size() - (before.rfind('\n') + 1) + 1;
  return " at line " + std::to_string(line) + ", character " + std::to_string(column);
}

}  // namespace mlq::jsonl
