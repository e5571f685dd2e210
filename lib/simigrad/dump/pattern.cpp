#include "lib/simigrad/dump/pattern.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "lib/base/error.h"

namespace mlq::simigrad {
namespace {

constexpr std::string_view kDigits = "0123456789";

// Takes a number off the front of `text`.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

// The last parts of a path, with so many slashes between them.
std::string_view last_parts(std::string_view path, size_t slashes) {
  size_t begin = path.size();
  for (size_t left = slashes + 1; left > 0; --left) {
    const size_t slash = begin == 0 ? std::string_view::npos : path.rfind('/', begin - 1);
    if (slash == std::string_view::npos) return left == 1 ? path : std::string_view();
    begin = slash;
  }
  return path.substr(begin + 1);
}

}  // namespace

Pattern::Pattern(std::string_view text) : text_(text) {
  struct Name {
    std::string_view name;
    Number number;
  };
  constexpr Name kNames[] = {{"incarnation", &Address::incarnation},
                             {"step", &Address::step},
                             {"group", &Address::group},
                             {"rank", &Address::group},
                             {"shard", &Address::shard}};
  std::string_view left = text;
  while (true) {
    const size_t open = left.find('{');
    Piece piece{std::string(left.substr(0, open))};
    const bool follows = !pieces_.empty();
    if (follows && (piece.literal.empty() ? open != std::string_view::npos
                                          : kDigits.find(piece.literal[0]) != std::string_view::npos))
      throw usage_error("\"{}\": a digit or a name follows \"}}\" at once; put something else between", text);
    if (open == std::string_view::npos) {
      pieces_.push_back(std::move(piece));
      break;
    }
    const size_t close = left.find('}', open);
    if (close == std::string_view::npos) throw usage_error("\"{}\": a brace is not closed", text);
    const std::string_view name = left.substr(open + 1, close - open - 1);
    const auto* known = std::ranges::find(kNames, name, &Name::name);
    if (known == std::end(kNames))
      throw usage_error(
          "\"{}\": {{{}}} is not known; there are {{step}}, {{group}} or {{rank}}, {{shard}}, "
          "{{incarnation}}",
          text, name);
    if (std::ranges::find(pieces_, known->number, &Piece::number) != pieces_.end())
      throw usage_error("\"{}\": {{{}}} stands in it twice", text, name);
    piece.number = known->number;
    pieces_.push_back(std::move(piece));
    left.remove_prefix(close + 1);
  }
  slashes_ = static_cast<size_t>(std::ranges::count(text_, '/'));
}

std::optional<Address> Pattern::match(std::string_view path) const {
  std::string_view left = last_parts(path, slashes_);
  Address address;
  for (const Piece& piece : pieces_) {
    if (!left.starts_with(piece.literal)) return std::nullopt;
    left.remove_prefix(piece.literal.size());
    if (piece.number == nullptr) break;
    const auto number = take_number(left);
    if (!number) return std::nullopt;
    address.*piece.number = number;
  }
  if (!left.empty()) return std::nullopt;
  return address;
}

}  // namespace mlq::simigrad
