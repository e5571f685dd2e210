// Conditions and formulas over knobs, as in space files: numbers, strings in single quotes, names of knobs,
// $cores $memory_bytes $gpus, + - * / % min max floor ceil, comparisons, && || ! and parentheses. No calls
// out, no loops: evaluation takes as long as the text. Immutable after parsing; any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/control/knobs.h"

namespace mlq::tune {

using serve::KnobValue;

class Expression {
 public:
  // What a name stands for; null if it stands for nothing.
  using Lookup = std::function<std::optional<KnobValue>(std::string_view)>;

  // An input Error that quotes the text and names the position of what cannot be read. `$cores` and the like
  // are replaced from `machine` at once.
  static Expression parse(std::string_view text, const Lookup& machine);

  const std::string& text() const;
  // Names of knobs that occur in it, each once, in order of appearance.
  const std::vector<std::string>& names() const;
  // The value, or none: division by 0, a comparison of a number with a string, a name that is not known.
  std::optional<KnobValue> value(const Lookup& knobs) const;
  // Whether it holds; what has no value does not hold. A number holds if it is not 0.
  bool holds(const Lookup& knobs) const;

 private:
  struct Node;
  std::shared_ptr<const Node> root_;
  std::string text_;
  std::vector<std::string> names_;
};

// $cores, $memory_bytes, $gpus of this machine (sched_getaffinity, sysinfo, /dev/nvidia0...).
std::optional<KnobValue> machine_value(std::string_view name);

}  // namespace mlq::tune
