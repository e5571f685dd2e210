// Conditions and formulas over knobs, as in space files: numbers, true, false, strings in single quotes,
// names of knobs, $cores $memory_bytes $gpus, + - * / % min max floor ceil, comparisons, && || ! and
// parentheses. No calls out, no loops: evaluation takes as long as the text. Immutable after parsing; any
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/control/knobs.h"

namespace mlq::tune {

using serve::KnobValue;

// A value in the middle of an evaluation; owns no memory. Whole numbers stay whole as long as the result is
// exact: 8 / 2 is 4, 7 / 2 is 3.5, floor(3.5) is 3; beyond int64 they become real.
struct Scalar {
  enum class Kind : uint8_t { none, boolean, integer, real, text };
  Kind kind = Kind::none;
  union {
    int64_t integer = 0;  // boolean: 0 or 1, which it also is in arithmetic
    double real;
  };
  std::string_view text;  // of the expression or of the knob's value
};
Scalar scalar_of(const KnobValue& value);  // refers to its string
std::optional<KnobValue> knob_value(const Scalar& scalar);

class Expression {
 public:
  // What a name stands for; null if it stands for nothing.
  using Lookup = std::function<std::optional<KnobValue>(std::string_view)>;

  // Bounds on hostile text.
  static constexpr size_t kMostCharacters = 2000;
  static constexpr size_t kMostNested = 50;

  // An input Error that quotes the text and names the position of what cannot be read. `$cores` and the like
  // are replaced at once: `machine` is asked for "cores".
  static Expression parse(std::string_view text, const Lookup& machine);
  // The same with the names that `constants` knows replaced by their values; text() stays.
  Expression with(const Lookup& constants) const;

  const std::string& text() const { return text_; }
  // Names of knobs that occur in it, each once, in order of appearance.
  const std::vector<std::string>& names() const { return names_; }
  // The value, or none: division by 0, a comparison of a number with a string, a name that is not known.
  // `a && b` and `a || b` do not look at b where a settles it.
  std::optional<KnobValue> value(const Lookup& knobs) const;
  // Whether it holds; what has no value does not hold. A number holds if it is not 0.
  bool holds(const Lookup& knobs) const;

  // For inner loops: the value where names()[k] stands for values[slots[k]].
  Scalar evaluate(std::span<const Scalar> values, std::span<const uint32_t> slots) const;
  bool holds(std::span<const Scalar> values, std::span<const uint32_t> slots) const;

 private:
  struct Program;
  class Parser;
  std::shared_ptr<const Program> program_;
  std::string text_;
  std::vector<std::string> names_;
};

// "cores", "memory_bytes", "gpus" of this machine: processors this process may run on, physical memory, and
// NVIDIA devices in /dev.
std::optional<KnobValue> machine_value(std::string_view name);

}  // namespace mlq::tune
