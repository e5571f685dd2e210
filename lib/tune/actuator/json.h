// A JSON value that can be changed: what actuators read from an endpoint, patch and send back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/jsonl/buffer.h"
#include "lib/serve/control/knobs.h"

namespace mlq::tune {

using serve::KnobValue;

// A value type. Objects keep the order of their members. A real number stays one when it is written: 1.0 is
// not made 1, which readers with types take for another thing.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  using Value = std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, Array, Object>;

  Json() : value_(nullptr) {}
  explicit Json(Value value) : value_(std::move(value)) {}
  explicit Json(const KnobValue& value);

  // Any JSON value in UTF-8; none if it is not one, and `error` says why. Of members of one name the last
  // counts, as in most readers.
  static std::optional<Json> parse(std::string_view text, std::string& error);

  const Value& value() const { return value_; }
  template <class T>
  const T* as() const {
    return std::get_if<T>(&value_);
  }
  template <class T>
  T* as() {
    return std::get_if<T>(&value_);
  }
  bool is_null() const { return as<std::nullptr_t>() != nullptr; }
  std::optional<double> number() const;
  // A number, text or truth value as a knob's; integers past 2^63 as reals.
  std::optional<KnobValue> knob() const;
  // The member of an object; null if there is none.
  const Json* find(std::string_view key) const;
  // What a JSON pointer's tokens lead to (RFC 6901); null if there is nothing.
  const Json* at(const std::vector<std::string>& tokens) const;
  // Puts `value` there. Objects on the way that are missing are made, and so are arrays where the next token
  // is 0 or "-"; an element just behind the last one, or "-", is appended. False, and nothing is changed, if
  // a token leads through a number, text or truth value, or past the end of an array.
  bool set(const std::vector<std::string>& tokens, Json value);

  void write(jsonl::Buffer& out) const;
  std::string text() const;
  bool operator==(const Json&) const = default;

 private:
  Value value_;
};

}  // namespace mlq::tune
