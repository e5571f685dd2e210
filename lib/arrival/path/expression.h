// Formulas in t, as users type them: + - * / ^ ( ) sin cos exp log sqrt min max abs floor, pi, t.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mlq::arrival {

// Compiled once, evaluated often. Arithmetic by lib/base/fmath, the same bits everywhere. Immutable;
// thread-safe.
// `^` binds tighter than the sign before it and to the right: -2^2 is -4, 2^3^2 is 2^9.
class Expression {
 public:
  // Throws a usage Error that shows the place.
  explicit Expression(const std::string& text);
  double operator()(double t) const;
  const std::string& text() const { return text_; }

 private:
  friend class ExpressionParser;
  enum class Op : uint8_t {
    number,
    t,
    add,
    subtract,
    multiply,
    divide,
    power,
    negate,
    sin,
    cos,
    exp,
    log,
    sqrt,
    min,
    max,
    abs,
    floor
  };
  struct Step {
    Op op;
    double number = 0;
  };
  std::string text_;
  std::vector<Step> steps_;  // postfix
};

}  // namespace mlq::arrival
