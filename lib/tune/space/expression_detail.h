// How an expression is kept: what its parser writes and its evaluation reads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/tune/space/expression.h"

namespace mlq::tune {

enum class Op : uint8_t {
  literal,
  name,
  negate,
  invert,
  floor,
  ceil,
  add,
  subtract,
  multiply,
  divide,
  remainder,
  min,
  max,
  less,
  at_most,
  more,
  at_least,
  equal,
  not_equal,
  both,
  either,
};

// Operands come before what uses them.
struct Node {
  Op op = Op::literal;
  uint32_t a = 0, b = 0;  // operands' places; of a name, its index in names()
  Scalar value;           // of a literal
};

struct Expression::Program {
  std::vector<Node> nodes;
  std::vector<std::unique_ptr<const std::string>> texts;  // that literals refer to
  uint32_t root = 0;

  // `value` with its text, if it has one, kept here.
  Scalar keep(Scalar value) {
    if (value.kind == Scalar::Kind::text) {
      texts.push_back(std::make_unique<const std::string>(value.text));
      value.text = *texts.back();
    }
    return value;
  }
};

}  // namespace mlq::tune
