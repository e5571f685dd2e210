#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/stats/quantile.h"
#include "lib/tune/compare/score.h"

namespace mlq::tune {

// assertion = term [ "/" term ] ( ">=" | "<=" ) number [ "%" ]
// term      = "ratio" "(" tuner "," tuner ")" | figure "(" tuner ")"
class AssertionParser {
 public:
  AssertionParser(std::string_view text, const std::vector<std::string>& tuners)
      : text_(text), tuners_(tuners) {}

  Assertion parse() {
    Assertion a;
    a.text_ = std::string(text_);
    const std::string_view name = word("(");
    expect("(");
    if (name == "ratio") {
      // More trials of the second make the first better.
      const size_t fast = tuner(",");
      expect(",");
      a.over_ = {Assertion::Figure::trials, tuner(")")};
      a.under_ = Assertion::Term{Assertion::Figure::trials, fast};
      expect(")");
    } else {
      a.over_ = term(name);
      if (take("/")) {
        const std::string_view under = word("(");
        expect("(");
        a.under_ = term(under);
      }
    }
    a.at_least_ = take(">=");
    if (!a.at_least_) expect("<=");
    a.limit_ = number();
    return a;
  }

 private:
  [[noreturn]] void fail(const std::string& wanted) const {
    throw usage_error(
        "\"{}\": {} expected at character {}; an assertion looks like ratio(rrl-a,tpe) >= 2, online(rrl-a) "
        "<= "
        "1.9 or rec(rrl-a) / rec(tpe) <= 1",
        text_, wanted, at_ + 1);
  }

  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  bool take(std::string_view token) {
    blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  void expect(std::string_view token) {
    if (!take(token)) fail("\"" + std::string(token) + "\"");
  }

  // What stands before `end`, without the blanks around it.
  std::string_view word(std::string_view end) {
    blanks();
    const size_t stop = std::min(text_.find(end, at_), text_.size());
    std::string_view found = text_.substr(at_, stop - at_);
    while (!found.empty() && std::isspace(static_cast<unsigned char>(found.back())) != 0)
      found.remove_suffix(1);
    at_ = stop;
    return found;
  }

  Assertion::Term term(std::string_view figure) {
    Assertion::Term term;
    if (figure == "trials") {
      term.figure = Assertion::Figure::trials;
    } else if (figure == "unreached") {
      term.figure = Assertion::Figure::unreached;
    } else if (figure == "rec") {
      term.figure = Assertion::Figure::rec;
    } else if (figure == "online") {
      term.figure = Assertion::Figure::online;
    } else {
      throw usage_error("\"{}\": \"{}\" is no figure; there are ratio, trials, unreached, rec, online", text_,
                        figure);
    }
    term.tuner = tuner(")");
    expect(")");
    return term;
  }

  size_t tuner(std::string_view end) {
    const std::string_view name = word(end);
    const auto it = std::find(tuners_.begin(), tuners_.end(), name);
    if (it == tuners_.end())
      throw usage_error("\"{}\": \"{}\" is not among the tuners compared", text_, name);
    return static_cast<size_t>(it - tuners_.begin());
  }

  double number() {
    std::string_view rest = word("\n");
    at_ = text_.size();
    const bool share = rest.ends_with('%');
    if (share) rest.remove_suffix(1);
    const double value = parse_double(rest);
    return share ? value / 100 : value;
  }

  std::string_view text_;
  const std::vector<std::string>& tuners_;
  size_t at_ = 0;
};

Assertion Assertion::parse(std::string_view text, const std::vector<std::string>& tuners) {
  return AssertionParser(text, tuners).parse();
}

// A median that was not reached is somewhere above the horizon.
Assertion::Range Assertion::range(const Term& term, const Figures& figures, uint64_t trials) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  switch (term.figure) {
    case Figure::unreached:
      return {figures.unreached, figures.unreached};
    case Figure::rec:
      return {figures.rec, figures.rec};
    case Figure::online:
      return {figures.online, figures.online};
    case Figure::trials:
      break;
  }
  if (figures.trials == kInfinite) return {static_cast<double>(trials), kInfinite};
  return {figures.trials, figures.trials};
}

Assertion::Verdict Assertion::judge(const Bootstrap& bootstrap, uint64_t trials) const {
  const auto& over = bootstrap.figures(over_.tuner, Bootstrap::kAll);
  const auto* under = under_ ? &bootstrap.figures(under_->tuner, Bootstrap::kAll) : nullptr;
  std::vector<double> lows, highs;
  for (size_t r = 0; r < over.size(); ++r) {
    Range value = range(over_, over[r], trials);
    if (under != nullptr) {
      const Range by = range(*under_, (*under)[r], trials);
      // 0 over 0 (no run of either is unreached) is taken as even.
      value = {by.hi > 0 ? value.lo / by.hi : 1,
               by.lo > 0 ? value.hi / by.lo : (value.hi > 0 ? INFINITY : 1)};
      if (value.lo != value.lo) value.lo = 0;
    }
    lows.push_back(value.lo);
    highs.push_back(value.hi);
  }
  Verdict verdict;
  verdict.value = at_least_ ? lows[0] : highs[0];
  std::sort(lows.begin() + 1, lows.end());
  std::sort(highs.begin() + 1, highs.end());
  const size_t resamples = lows.size() - 1;
  verdict.lo = lows[stats::nearest_rank({25, 1000}, resamples)];
  verdict.hi = highs[stats::nearest_rank({975, 1000}, resamples)];
  verdict.holds = at_least_ ? verdict.lo >= limit_ : verdict.hi <= limit_;
  return verdict;
}

}  // namespace mlq::tune
