#include "lib/serve/protocol/tensor_text.h"

#include <fmt/format.h>

#include "lib/serve/protocol/tensor_numbers.h"

namespace mlq::serve {
namespace {

std::string_view name_of(ElementKind kind) {
  constexpr std::string_view names[] = {"an integer", "a number", "true or false", "a string"};
  return names[static_cast<size_t>(kind)];
}

// One walk over the text. Functions return false when error_ is set.
class Walk {
 public:
  Walk(std::string_view text, const Shape& shape, ElementKind kind, JsonRules rules,
       std::span<const uint64_t> cuts, TensorText& out, std::vector<size_t>& commas)
      : text_(text), shape_(shape), kind_(kind), rules_(rules), cuts_(cuts), out_(out), commas_(commas) {}

  std::optional<JsonError> run() {
    total_ = element_count(shape_.all()).value_or(0);
    out_ = {};
    commas_.clear();
    if (!text_.starts_with('[')) return JsonError{0, "an array is missing here"};
    ++at_;
    const bool nested = peek() == '[' && shape_.rank > 1;
    out_.form = nested ? Form::nested : Form::flat;
    out_.begin = at_;
    if (!(nested ? level(1) : flat())) return error_;
    out_.past = at_;
    out_.end = at_ - 1;
    while (out_.end > out_.begin && is_blank(text_[out_.end - 1])) --out_.end;
    if (found_ != total_) return JsonError{at_ - 1, count_text()};
    if (out_.ragged) commas_.clear();
    return std::nullopt;
  }

 private:
  char peek() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool fail(std::string message) {
    error_ = {at_, std::move(message)};
    return false;
  }
  std::string count_text() const {
    return fmt::format("the data hold {} elements, the shape says {}", found_, total_);
  }

  size_t element_length() const {
    const std::string_view rest = text_.substr(at_);
    const auto word = [&](std::string_view w) { return rest.starts_with(w) ? w.size() : 0; };
    if (kind_ == ElementKind::string) return rest.starts_with('"') ? string_length(rest, rules_) : 0;
    const size_t boolean = std::max(word("true"), word("false"));
    if (kind_ == ElementKind::boolean && rules_ == JsonRules::strict) return boolean;
    const size_t number = number_length(rest);
    if (rules_ == JsonRules::liberal)
      return std::max({number, boolean, word("null"), word("NaN"), word("Infinity"), word("-Infinity")});
    const bool integer = rest.substr(0, number).find_first_of(".eE") == std::string_view::npos;
    return kind_ == ElementKind::integer && !integer ? 0 : number;
  }

  // The comma at at_ stands before `row`.
  void passed(uint64_t row) {
    if (commas_.size() < cuts_.size() && cuts_[commas_.size()] == row) commas_.push_back(at_);
  }

  // Elements up to the closing bracket, which is taken; before_next(n) is called at the comma behind n of
  // them.
  template <class BeforeNext>
  bool elements(uint64_t& count, BeforeNext&& before_next) {
    count = 0;
    if (peek() == ']') return ++at_, true;
    while (true) {
      peek();
      const size_t length = element_length();
      if (length == 0) return fail(fmt::format("{} is missing here", name_of(kind_)));
      at_ += length;
      ++count;
      const char c = peek();
      if (c == ']') break;
      if (c != ',') return fail("a comma or a closing bracket is missing here");
      before_next(count);
      ++at_;
    }
    ++at_;
    return true;
  }

  bool flat() {
    const uint64_t row = element_count(shape_.of_a_row()).value_or(0);
    uint64_t left = row;  // of the row
    uint64_t rows = 0;
    return elements(found_, [&](uint64_t) {
      if (--left > 0) return;
      left = row;
      passed(++rows);
    });
  }

  // Behind the opening bracket of the array at `depth`, which counts from 1; takes its closing bracket.
  bool level(size_t depth) {
    uint64_t count = 0;
    if (depth == shape_.rank) {
      if (!elements(count, [](uint64_t) {})) return false;
      found_ += count;
    } else if (peek() == ']') {
      ++at_;
    } else {
      while (true) {
        if (peek() != '[') return fail("an opening bracket is missing here: the shape is deeper");
        ++at_;
        if (!level(depth + 1)) return false;
        ++count;
        const char c = peek();
        if (c == ']') break;
        if (c != ',') return fail("a comma or a closing bracket is missing here");
        if (depth == 1) passed(count);
        ++at_;
      }
      ++at_;
    }
    out_.ragged |= count != shape_.dims[depth - 1];
    return true;
  }

  std::string_view text_;
  const Shape& shape_;
  ElementKind kind_;
  JsonRules rules_;
  std::span<const uint64_t> cuts_;
  TensorText& out_;
  std::vector<size_t>& commas_;
  size_t at_ = 0;
  uint64_t found_ = 0;
  uint64_t total_ = 0;
  JsonError error_;
};

}  // namespace

ElementKind element_kind(Datatype type) {
  switch (type) {
    case Datatype::boolean:
      return ElementKind::boolean;
    case Datatype::bytes:
      return ElementKind::string;
    case Datatype::fp16:
    case Datatype::bf16:
    case Datatype::fp32:
    case Datatype::fp64:
      return ElementKind::number;
    default:
      return ElementKind::integer;
  }
}

std::optional<JsonError> scan_tensor_text_plainly(std::string_view text, const Shape& shape, ElementKind kind,
                                                  JsonRules rules, std::span<const uint64_t> cuts,
                                                  TensorText& out, std::vector<size_t>& commas) {
  return Walk(text, shape, kind, rules, cuts, out, commas).run();
}

std::optional<JsonError> scan_tensor_text(std::string_view text, const Shape& shape, ElementKind kind,
                                          JsonRules rules, std::span<const uint64_t> cuts, TensorText& out,
                                          std::vector<size_t>& commas) {
  const bool numbers = kind == ElementKind::number || kind == ElementKind::integer;
  if (numbers && scan_numbers(text, shape, kind == ElementKind::integer, cuts, out, commas))
    return std::nullopt;
  // Everything else, and everything that is wrong: the walk finds out what and where.
  return scan_tensor_text_plainly(text, shape, kind, rules, cuts, out, commas);
}

}  // namespace mlq::serve
