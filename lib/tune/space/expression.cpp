#include "lib/tune/space/expression.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/tune/space/expression_detail.h"

namespace mlq::tune {
namespace {

using Kind = Scalar::Kind;

constexpr double kTwo63 = 0x1p63;

Scalar none() { return {}; }
Scalar integer(int64_t value) {
  Scalar out;
  out.kind = Kind::integer;
  out.integer = value;
  return out;
}
Scalar boolean(bool value) {
  Scalar out = integer(value ? 1 : 0);
  out.kind = Kind::boolean;
  return out;
}
Scalar real(double value) {
  if (!std::isfinite(value)) return none();
  Scalar out;
  out.kind = Kind::real;
  out.real = value;
  return out;
}

bool is_number(const Scalar& s) { return s.kind != Kind::none && s.kind != Kind::text; }
bool is_whole(const Scalar& s) { return s.kind == Kind::integer || s.kind == Kind::boolean; }
double real_of(const Scalar& s) { return s.kind == Kind::real ? s.real : static_cast<double>(s.integer); }

Scalar divided(const Scalar& a, const Scalar& b) {
  if (real_of(b) == 0) return none();
  const bool exact = is_whole(a) && is_whole(b) && b.integer != -1 && a.integer % b.integer == 0;
  return exact ? integer(a.integer / b.integer) : real(real_of(a) / real_of(b));
}

Scalar remainder(const Scalar& a, const Scalar& b) {
  if (real_of(b) == 0) return none();
  if (!is_whole(a) || !is_whole(b)) return real(std::fmod(real_of(a), real_of(b)));
  return integer(b.integer == -1 ? 0 : a.integer % b.integer);
}

Scalar arithmetic(Op op, const Scalar& a, const Scalar& b) {
  if (!is_number(a) || !is_number(b)) return none();
  const bool whole = is_whole(a) && is_whole(b);
  int64_t result = 0;
  switch (op) {
    case Op::add:
      if (whole && !__builtin_add_overflow(a.integer, b.integer, &result)) return integer(result);
      return real(real_of(a) + real_of(b));
    case Op::subtract:
      if (whole && !__builtin_sub_overflow(a.integer, b.integer, &result)) return integer(result);
      return real(real_of(a) - real_of(b));
    case Op::multiply:
      if (whole && !__builtin_mul_overflow(a.integer, b.integer, &result)) return integer(result);
      return real(real_of(a) * real_of(b));
    case Op::divide:
      return divided(a, b);
    case Op::remainder:
      return remainder(a, b);
    case Op::min:
      return real_of(b) < real_of(a) ? b : a;
    default:
      return real_of(a) < real_of(b) ? b : a;
  }
}

Scalar rounded(Op op, const Scalar& a) {
  if (!is_number(a)) return none();
  if (a.kind != Kind::real) return integer(a.integer);
  const double whole = op == Op::floor ? std::floor(a.real) : std::ceil(a.real);
  return whole >= -kTwo63 && whole < kTwo63 ? integer(static_cast<int64_t>(whole)) : real(whole);
}

Scalar compared(Op op, const Scalar& a, const Scalar& b) {
  if (a.kind == Kind::text && b.kind == Kind::text) {
    if (op == Op::equal) return boolean(a.text == b.text);
    if (op == Op::not_equal) return boolean(a.text != b.text);
    return none();
  }
  if (!is_number(a) || !is_number(b)) return none();
  const bool whole = is_whole(a) && is_whole(b);
  const bool less = whole ? a.integer < b.integer : real_of(a) < real_of(b);
  const bool equal = whole ? a.integer == b.integer : real_of(a) == real_of(b);
  switch (op) {
    case Op::less:
      return boolean(less);
    case Op::at_most:
      return boolean(less || equal);
    case Op::more:
      return boolean(!less && !equal);
    case Op::at_least:
      return boolean(!less);
    case Op::equal:
      return boolean(equal);
    default:
      return boolean(!equal);
  }
}

bool truth(const Scalar& s) { return s.kind == Kind::real ? s.real != 0 : is_number(s) && s.integer != 0; }

struct Evaluation {
  const std::vector<Node>& nodes;
  std::span<const Scalar> values;
  std::span<const uint32_t> slots;

  Scalar at(uint32_t index) const {
    const Node& node = nodes[index];
    switch (node.op) {
      case Op::literal:
        return node.value;
      case Op::name:
        return values[slots[node.a]];
      case Op::negate:
        return arithmetic(Op::subtract, integer(0), at(node.a));
      case Op::invert: {
        const Scalar a = at(node.a);
        return is_number(a) ? boolean(!truth(a)) : none();
      }
      case Op::floor:
      case Op::ceil:
        return rounded(node.op, at(node.a));
      case Op::both:
      case Op::either:
        return joined(node);
      case Op::less:
      case Op::at_most:
      case Op::more:
      case Op::at_least:
      case Op::equal:
      case Op::not_equal:
        return compared(node.op, at(node.a), at(node.b));
      default:
        return arithmetic(node.op, at(node.a), at(node.b));
    }
  }

  Scalar joined(const Node& node) const {
    const Scalar a = at(node.a);
    if (!is_number(a)) return none();
    if (truth(a) == (node.op == Op::either)) return boolean(truth(a));
    const Scalar b = at(node.b);
    return is_number(b) ? boolean(truth(b)) : none();
  }
};

}  // namespace

Scalar scalar_of(const KnobValue& value) {
  if (const auto* b = std::get_if<bool>(&value)) return boolean(*b);
  if (const auto* i = std::get_if<int64_t>(&value)) return integer(*i);
  if (const auto* d = std::get_if<double>(&value)) return real(*d);
  Scalar out;
  out.kind = Kind::text;
  out.text = std::get<std::string>(value);
  return out;
}

std::optional<KnobValue> knob_value(const Scalar& scalar) {
  switch (scalar.kind) {
    case Kind::none:
      return std::nullopt;
    case Kind::boolean:
      return scalar.integer != 0;
    case Kind::integer:
      return scalar.integer;
    case Kind::real:
      return scalar.real;
    case Kind::text:
      return std::string(scalar.text);
  }
  return std::nullopt;
}

Scalar Expression::evaluate(std::span<const Scalar> values, std::span<const uint32_t> slots) const {
  return Evaluation{program_->nodes, values, slots}.at(program_->root);
}

bool Expression::holds(std::span<const Scalar> values, std::span<const uint32_t> slots) const {
  return truth(evaluate(values, slots));
}

std::optional<KnobValue> Expression::value(const Lookup& knobs) const {
  std::vector<std::optional<KnobValue>> found;
  std::vector<Scalar> values;
  found.reserve(names_.size());
  for (const std::string& name : names_) {
    found.push_back(knobs ? knobs(name) : std::nullopt);
    values.push_back(found.back() ? scalar_of(*found.back()) : none());
  }
  std::vector<uint32_t> slots(names_.size());
  std::iota(slots.begin(), slots.end(), 0u);
  return knob_value(evaluate(values, slots));
}

bool Expression::holds(const Lookup& knobs) const {
  const auto v = value(knobs);
  return v && truth(scalar_of(*v));
}

Expression Expression::with(const Lookup& constants) const {
  Expression out;
  out.text_ = text_;
  auto program = std::make_shared<Program>();
  program->root = program_->root;
  for (Node node : program_->nodes) {
    if (node.op == Op::name) {
      const std::string& name = names_[node.a];
      if (const auto value = constants(name)) {
        node.op = Op::literal;
        node.value = program->keep(scalar_of(*value));
      } else {
        const auto at = std::ranges::find(out.names_, name);
        node.a = static_cast<uint32_t>(at - out.names_.begin());
        if (at == out.names_.end()) out.names_.push_back(name);
      }
    } else if (node.op == Op::literal) {
      node.value = program->keep(node.value);
    }
    program->nodes.push_back(node);
  }
  out.program_ = std::move(program);
  return out;
}

}  // namespace mlq::tune
