#include "lib/arrival/path/expression.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string_view>

#include "lib/base/error.h"
#include "lib/base/fmath.h"

namespace mlq::arrival {
namespace {

constexpr size_t kMostSteps = 1000;
constexpr int kDeepest = 200;

}  // namespace

// Recursive descent: sum, product, sign, power, atom.
class ExpressionParser {
 public:
  using Op = Expression::Op;
  explicit ExpressionParser(Expression& out) : out_(out), text_(out.text_) {}

  void parse() {
    sum();
    skip_space();
    if (at_ != text_.size()) fail("an operator");
  }

 private:
  [[noreturn]] void fail(std::string_view wanted) const {
    if (at_ >= text_.size()) throw usage_error("\"{}\": {} is missing at the end", text_, wanted);
    throw usage_error("\"{}\": {} was expected at \"{}\"", text_, wanted, text_.substr(at_));
  }
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("\"") + c + "\"");
  }
  void emit(Op op, double number = 0) {
    if (out_.steps_.size() >= kMostSteps)
      throw usage_error("\"{}\": the formula is too long", text_.substr(0, 60));
    out_.steps_.push_back({op, number});
  }

  void sum() {
    if (++depth_ > kDeepest)
      throw usage_error("\"{}\": the formula is nested too deeply", text_.substr(0, 60));
    product();
    for (;;) {
      if (accept('+')) {
        product();
        emit(Op::add);
      } else if (accept('-')) {
        product();
        emit(Op::subtract);
      } else {
        --depth_;
        return;
      }
    }
  }
  void product() {
    sign();
    for (;;) {
      if (accept('*')) {
        sign();
        emit(Op::multiply);
      } else if (accept('/')) {
        sign();
        emit(Op::divide);
      } else {
        return;
      }
    }
  }
  void sign() {
    if (accept('-')) {
      if (++depth_ > kDeepest)
        throw usage_error("\"{}\": the formula is nested too deeply", text_.substr(0, 60));
      sign();
      --depth_;
      emit(Op::negate);
    } else {
      power();
    }
  }
  void power() {
    atom();
    if (accept('^')) {
      if (++depth_ > kDeepest)
        throw usage_error("\"{}\": the formula is nested too deeply", text_.substr(0, 60));
      sign();
      --depth_;
      emit(Op::power);
    }
  }
  void atom() {
    skip_space();
    if (accept('(')) {
      sum();
      expect(')');
      return;
    }
    if (at_ < text_.size() &&
        (std::isdigit(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '.')) {
      return number();
    }
    const std::string_view word = name();
    if (word == "t") return emit(Op::t);
    if (word == "pi") return emit(Op::number, 3.141592653589793);
    if (word.empty()) fail("a number, t, pi, a function or \"(\"");
    function(word);
  }
  void number() {
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("a number");
    at_ = static_cast<size_t>(end - text_.data());
    emit(Op::number, value);
  }
  std::string_view name() {
    const size_t from = at_;
    while (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    return std::string_view(text_).substr(from, at_ - from);
  }
  void function(std::string_view word) {
    struct Function {
      std::string_view name;
      Op op;
      int arguments;
    };
    static constexpr std::array functions = {
        Function{"sin", Op::sin, 1},     Function{"cos", Op::cos, 1},   Function{"exp", Op::exp, 1},
        Function{"log", Op::log, 1},     Function{"sqrt", Op::sqrt, 1}, Function{"abs", Op::abs, 1},
        Function{"floor", Op::floor, 1}, Function{"min", Op::min, 2},   Function{"max", Op::max, 2}};
    const auto found =
        std::find_if(functions.begin(), functions.end(), [&](const Function& f) { return f.name == word; });
    if (found == functions.end()) {
      throw usage_error(
          "\"{}\": there is no \"{}\"; there are t, pi, sin, cos, exp, log, sqrt, min, max, abs and floor",
          text_, word);
    }
    expect('(');
    sum();
    for (int k = 1; k < found->arguments; ++k) {
      expect(',');
      sum();
    }
    expect(')');
    emit(found->op);
  }

  Expression& out_;
  const std::string& text_;
  size_t at_ = 0;
  int depth_ = 0;
};

Expression::Expression(const std::string& text) : text_(text) { ExpressionParser(*this).parse(); }

double Expression::operator()(double t) const {
  std::array<double, kMostSteps> stack;
  size_t n = 0;
  const auto binary = [&](auto&& f) {
    --n;
    stack[n - 1] = f(stack[n - 1], stack[n]);
  };
  const auto unary = [&](auto&& f) { stack[n - 1] = f(stack[n - 1]); };
  for (const Step& step : steps_) {
    switch (step.op) {
      case Op::number:
        stack[n++] = step.number;
        break;
      case Op::t:
        stack[n++] = t;
        break;
      case Op::add:
        binary([](double a, double b) { return a + b; });
        break;
      case Op::subtract:
        binary([](double a, double b) { return a - b; });
        break;
      case Op::multiply:
        binary([](double a, double b) { return a * b; });
        break;
      case Op::divide:
        binary([](double a, double b) { return a / b; });
        break;
      case Op::power:
        binary([](double a, double b) { return fmath::pow(a, b); });
        break;
      case Op::min:
        binary([](double a, double b) { return b < a ? b : a; });
        break;
      case Op::max:
        binary([](double a, double b) { return b > a ? b : a; });
        break;
      case Op::negate:
        unary([](double a) { return -a; });
        break;
      case Op::sin:
        unary([](double a) { return fmath::sin(a); });
        break;
      case Op::cos:
        unary([](double a) { return fmath::cos(a); });
        break;
      case Op::exp:
        unary([](double a) { return fmath::exp(a); });
        break;
      case Op::log:
        unary([](double a) { return fmath::log(a); });
        break;
      case Op::sqrt:
        unary([](double a) { return std::sqrt(a); });
        break;
      case Op::abs:
        unary([](double a) { return std::fabs(a); });
        break;
      case Op::floor:
        unary([](double a) { return std::floor(a); });
        break;
    }
  }
  return stack[0];
}

}  // namespace mlq::arrival
