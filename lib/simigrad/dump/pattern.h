// Where a file belongs, by its path: `step{step}/group{group}.safetensors`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlq::simigrad {

// What is known of a file's place in a set of dumps.
struct Address {
  std::optional<uint64_t> incarnation, step, group, shard;
};

// A path with names in braces for numbers: {incarnation}, {step}, {group} or {rank}, {shard}. Immutable,
// thread-safe.
class Pattern {
 public:
  // A usage Error for an unknown or repeated name, and for one that a digit or another name follows, since
  // there would be no telling where its number ends.
  explicit Pattern(std::string_view text);

  // If the last parts of `path`, as many as the pattern has, read as it says. A number may have leading
  // zeros; one above 2^63 - 1 does not match.
  std::optional<Address> match(std::string_view path) const;
  const std::string& text() const { return text_; }

 private:
  using Number = std::optional<uint64_t> Address::*;
  struct Piece {
    std::string literal;      // what comes before the number
    Number number = nullptr;  // null in the last
  };

  std::string text_;
  std::vector<Piece> pieces_;
  size_t slashes_ = 0;
};

}  // namespace mlq::simigrad
