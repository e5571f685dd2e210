#include <algorithm>
#include <array>
#include <charconv>

#include "lib/base/error.h"
#include "lib/base/nearest.h"
#include "lib/tune/space/expression_detail.h"

namespace mlq::tune {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_name(char c) { return begins_name(c) || is_digit(c) || c == '.'; }

struct Operator {
  std::string_view sign;
  Op op;
};
constexpr std::array<Operator, 1> kEither{{{"||", Op::either}}};
constexpr std::array<Operator, 1> kBoth{{{"&&", Op::both}}};
constexpr std::array<Operator, 6> kCompare{{{"<=", Op::at_most},
                                            {">=", Op::at_least},
                                            {"==", Op::equal},
                                            {"!=", Op::not_equal},
                                            {"<", Op::less},
                                            {">", Op::more}}};
constexpr std::array<Operator, 2> kSum{{{"+", Op::add}, {"-", Op::subtract}}};
constexpr std::array<Operator, 3> kProduct{{{"*", Op::multiply}, {"/", Op::divide}, {"%", Op::remainder}}};

}  // namespace

// Recursive descent; every function reads one level of precedence and returns the place of its node.
class Expression::Parser {
 public:
  Parser(std::string_view text, const Lookup& machine) : text_(text), machine_(machine) {}

  Expression parse() {
    if (text_.size() > kMostCharacters) {
      throw input_error("\"{}...\": an expression has at most {} characters", text_.substr(0, 40),
                        kMostCharacters);
    }
    out_.text_ = text_;
    program_->root = either();
    blanks();
    if (at_ < text_.size()) throw error("an operator is wanted");
    out_.program_ = std::move(program_);
    return std::move(out_);
  }

 private:
  Error error(std::string_view wanted) const {
    return input_error("\"{}\": at {}: {}", text_,
                       at_ < text_.size() ? fmt::format("character {}", at_ + 1) : "the end", wanted);
  }

  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool eat(std::string_view sign) {
    blanks();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  template <size_t N>
  std::optional<Op> eat_one(const std::array<Operator, N>& operators) {
    for (const Operator& o : operators)
      if (eat(o.sign)) return o.op;
    return std::nullopt;
  }

  uint32_t node(Op op, uint32_t a, uint32_t b = 0) {
    program_->nodes.push_back({op, a, b, {}});
    return static_cast<uint32_t>(program_->nodes.size() - 1);
  }
  uint32_t literal(const Scalar& value) {
    program_->nodes.push_back({Op::literal, 0, 0, program_->keep(value)});
    return static_cast<uint32_t>(program_->nodes.size() - 1);
  }

  template <size_t N, class Next>
  uint32_t chain(const std::array<Operator, N>& operators, Next next) {
    uint32_t left = (this->*next)();
    while (const auto op = eat_one(operators)) left = node(*op, left, (this->*next)());
    return left;
  }
  uint32_t either() { return chain(kEither, &Parser::both); }
  uint32_t both() { return chain(kBoth, &Parser::comparison); }
  uint32_t comparison() {
    const uint32_t left = sum();
    const auto op = eat_one(kCompare);
    if (!op) return left;
    const uint32_t whole = node(*op, left, sum());
    blanks();
    const size_t place = at_;
    if (eat_one(kCompare)) {
      at_ = place;
      throw error("comparisons do not chain; write a < b && b < c");
    }
    return whole;
  }
  uint32_t sum() { return chain(kSum, &Parser::product); }
  uint32_t product() { return chain(kProduct, &Parser::unary); }

  uint32_t unary() {
    if (++nested_ > kMostNested) throw error(fmt::format("it is nested over {} deep", kMostNested));
    const uint32_t out = eat("!")   ? node(Op::invert, unary())
                         : eat("-") ? node(Op::negate, unary())
                                    : primary();
    --nested_;
    return out;
  }

  uint32_t primary() {
    blanks();
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    if (is_digit(c) || c == '.') return number();
    if (c == '\'') return string();
    if (c == '$') return machine();
    if (begins_name(c)) return name();
    if (!eat("(")) throw error("a number, a knob or a parenthesis is wanted");
    const uint32_t inside = either();
    if (!eat(")")) throw error("\")\" is wanted");
    return inside;
  }

  uint32_t number() {
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    double real = 0;
    const auto read = std::from_chars(begin, end, real);
    if (read.ec != std::errc()) throw error("this number cannot be read");
    int64_t whole = 0;
    const auto read_whole = std::from_chars(begin, end, whole);
    const bool is_whole = read_whole.ec == std::errc() && read_whole.ptr == read.ptr;
    if (read.ptr < end && in_name(*read.ptr)) throw error("this number cannot be read");
    at_ = static_cast<size_t>(read.ptr - text_.data());
    return literal(scalar_of(is_whole ? KnobValue(whole) : KnobValue(real)));
  }

  uint32_t string() {
    const size_t end = text_.find('\'', at_ + 1);
    if (end == text_.npos) throw error("this string does not end");
    const std::string_view content = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    Scalar value;
    value.kind = Scalar::Kind::text;
    value.text = content;
    return literal(value);
  }

  std::string_view word() const {
    size_t end = at_;
    while (end < text_.size() && in_name(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }

  uint32_t machine() {
    ++at_;
    const std::string_view name = word();
    const auto value = machine_ ? machine_(name) : std::nullopt;
    if (!value) {
      --at_;
      throw error(fmt::format("there is no ${}; there are $cores, $memory_bytes and $gpus", name));
    }
    at_ += name.size();
    return literal(scalar_of(*value));
  }

  uint32_t name() {
    const std::string_view word = this->word();
    const size_t place = at_;
    at_ += word.size();
    if (eat("(")) {
      const size_t arguments = at_;
      at_ = place;
      return call(word, arguments);
    }
    if (word == "true" || word == "false") return literal(scalar_of(word == "true"));
    auto& names = out_.names_;
    const auto at = std::ranges::find(names, word);
    const auto index = static_cast<uint32_t>(at - names.begin());
    if (at == names.end()) names.emplace_back(word);
    return node(Op::name, index);
  }

  uint32_t call(std::string_view function, size_t arguments) {
    static const std::vector<std::string> kNames{"min", "max", "floor", "ceil"};
    constexpr std::array kOps{Op::min, Op::max, Op::floor, Op::ceil};
    const auto known = std::ranges::find(kNames, function);
    if (known == kNames.end()) {
      const std::string near = nearest(function, kNames);
      throw error(near.empty()
                      ? fmt::format("there is no function {}; there are min, max, floor and ceil", function)
                      : fmt::format("there is no function {}; did you mean {}?", function, near));
    }
    const Op op = kOps[static_cast<size_t>(known - kNames.begin())];
    at_ = arguments;
    uint32_t out = either();
    if (op == Op::floor || op == Op::ceil) {
      out = node(op, out);
    } else {
      while (eat(",")) out = node(op, out, either());
    }
    if (!eat(")")) throw error("\")\" is wanted");
    return out;
  }

  std::string_view text_;
  const Lookup& machine_;
  size_t at_ = 0;
  size_t nested_ = 0;
  Expression out_;
  std::shared_ptr<Program> program_ = std::make_shared<Program>();
};

Expression Expression::parse(std::string_view text, const Lookup& machine) {
  return Parser(text, machine).parse();
}

}  // namespace mlq::tune
