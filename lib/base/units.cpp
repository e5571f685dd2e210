#include "lib/base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "lib/base/error.h"

namespace mlq {
namespace {

using Wide = unsigned __int128;
constexpr Wide wide_max = ~Wide{0};
constexpr uint64_t u64_max = std::numeric_limits<uint64_t>::max();

// Thrown where a value leaves 128 bits; each parser turns it into a message about its own quantity.
struct Overflow {};

Wide times(Wide a, Wide b) {
  if (b != 0 && a > wide_max / b) throw Overflow();
  return a * b;
}

Wide gcd(Wide a, Wide b) {
  while (b != 0) {
    const Wide rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// A non-negative rational number, in lowest terms.
struct Fraction {
  Wide num = 0;
  Wide den = 1;
};

Fraction product(const Fraction& a, const Fraction& b) {
  const Wide across = gcd(a.num, b.den), down = gcd(b.num, a.den);
  return {times(a.num / across, b.num / down), times(a.den / down, b.den / across)};
}

Fraction quotient(const Fraction& a, const Fraction& b) { return product(a, {b.den, b.num}); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// 10^exponent or, of a negative exponent, its inverse.
Fraction power_of_ten(int exponent) {
  Wide power = 1;
  for (int i = std::abs(exponent); i > 0; --i) power = times(power, 10);
  return exponent < 0 ? Fraction{1, power} : Fraction{power, 1};
}

// Takes a number off the front of `text`; none if it does not begin with one.
std::optional<Fraction> take_number(std::string_view& text) {
  Wide digits = 0;
  int exponent = 0;
  size_t at = 0;
  const auto take_digits = [&](int step) {
    const size_t begin = at;
    for (; at < text.size() && is_digit(text[at]); ++at, exponent += step) {
      digits = times(digits, 10) + static_cast<Wide>(text[at] - '0');
    }
    return at > begin;
  };
  bool any = take_digits(0);
  if (at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
    ++at;
    any = take_digits(-1);
  }
  if (!any) return std::nullopt;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    const size_t sign = at + 1;
    const bool signed_exponent = sign < text.size() && (text[sign] == '+' || text[sign] == '-');
    const char* const begin = text.data() + sign + (signed_exponent && text[sign] == '+' ? 1 : 0);
    int written = 0;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), written);
    if (error == std::errc::result_out_of_range) throw Overflow();
    if (error == std::errc()) {
      at = static_cast<size_t>(end - text.data());
      exponent += std::clamp(written, -1000, 1000);
    }
  }
  text.remove_prefix(at);
  if (digits == 0) return Fraction{};
  return product({digits, 1}, power_of_ten(exponent));
}

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr std::array<Unit, 8> time_units = {{
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"min", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
}};

constexpr std::array<Unit, 5> count_suffixes = {
    {{"", 1}, {"k", 1'000}, {"M", 1'000'000}, {"G", 1'000'000'000}, {"T", 1'000'000'000'000}}};

constexpr std::array<Unit, 18> size_suffixes = {{
    {"", 1},
    {"B", 1},
    {"k", 1'000},
    {"kB", 1'000},
    {"M", 1'000'000},
    {"MB", 1'000'000},
    {"G", 1'000'000'000},
    {"GB", 1'000'000'000},
    {"T", 1'000'000'000'000},
    {"TB", 1'000'000'000'000},
    {"Ki", 1ull << 10},
    {"KiB", 1ull << 10},
    {"Mi", 1ull << 20},
    {"MiB", 1ull << 20},
    {"Gi", 1ull << 30},
    {"GiB", 1ull << 30},
    {"Ti", 1ull << 40},
    {"TiB", 1ull << 40},
}};

template <size_t n>
std::optional<uint64_t> factor_of(const std::array<Unit, n>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return unit.factor;
  }
  return std::nullopt;
}

// The text for a message, cut where it is long.
std::string shown(std::string_view text) {
  constexpr size_t longest = 60;
  if (text.size() <= longest) return fmt::format("\"{}\"", text);
  return fmt::format("\"{}...\"", text.substr(0, longest));
}

Error not_a(std::string_view text, std::string_view quantity, std::string_view hint) {
  return usage_error("{} is not a {}; {}", shown(text), quantity, hint);
}

constexpr std::string_view duration_hint = "write a number and a unit, as in 1.5ms, 30s or 12h";
constexpr std::string_view rate_hint =
    "write events per time, as in 200/s, 14.3/s or 50k/h, or a gap, as in gap=70ms";

// The parts of `1h30m`, one after the other; units fall from part to part.
std::optional<Wide> duration_ns(std::string_view whole) {
  std::string_view rest = whole;
  Wide sum = 0;
  uint64_t last_factor = u64_max;
  while (!rest.empty()) {
    const auto number = take_number(rest);
    if (!number) return std::nullopt;
    size_t end = 0;
    while (end < rest.size() && !is_digit(rest[end]) && rest[end] != '.') ++end;
    const auto factor = factor_of(time_units, rest.substr(0, end));
    if (!factor || *factor >= last_factor) return std::nullopt;
    const Fraction ns = product(*number, {*factor, 1});
    if (ns.den != 1)
      throw usage_error("{} holds a part of a nanosecond; durations are whole nanoseconds", shown(whole));
    if (ns.num > wide_max / 2 || sum > wide_max / 2) throw Overflow();
    sum += ns.num;
    last_factor = *factor;
    rest.remove_prefix(end);
  }
  return sum;
}

bool is_bare_number(std::string_view text) { return take_number(text) && text.empty(); }

// `number` as a Rate or Ratio, whose terms have 64 bits.
bool fits(const Fraction& number) { return number.num <= u64_max && number.den <= u64_max; }

template <size_t n>
uint64_t parse_whole(std::string_view text, const std::array<Unit, n>& suffixes, std::string_view quantity,
                     std::string_view hint) try {
  std::string_view rest = text;
  const auto number = take_number(rest);
  const auto factor = factor_of(suffixes, rest);
  if (!number || !factor) throw not_a(text, quantity, hint);
  const Fraction value = product(*number, {*factor, 1});
  if (value.den != 1) throw usage_error("{} is not a whole number; a {} must be one", shown(text), quantity);
  if (value.num > u64_max) throw Overflow();
  return static_cast<uint64_t>(value.num);
} catch (const Overflow&) {
  throw usage_error("{} is too large or too long for a {}; the largest is {}", shown(text), quantity,
                    u64_max);
}

Fraction rate_fraction(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (number && rest.empty())
    throw usage_error("{0} has no unit of time; a rate is written as in {1}/s", shown(text), text);
  const size_t slash = rest.find('/');
  if (!number || slash == rest.npos) throw not_a(text, "rate", rate_hint);
  const auto factor = factor_of(count_suffixes, rest.substr(0, slash));
  const std::string_view per = rest.substr(slash + 1);
  const auto unit = factor_of(time_units, per);
  const auto ns = unit ? std::optional<Wide>(*unit) : duration_ns(per);
  if (!factor || !ns || *ns == 0) throw not_a(text, "rate", rate_hint);
  return quotient(product(*number, {*factor, 1}), {*ns, 1});
}

}  // namespace

int64_t parse_duration(std::string_view text) try {
  const auto ns = text.empty() ? std::nullopt : duration_ns(text);
  if (!ns) {
    if (!is_bare_number(text)) throw not_a(text, "duration", duration_hint);
    std::string_view rest = text;
    if (take_number(rest)->num == 0) return 0;
    throw usage_error("{0} has no unit of time; write {1}s for seconds or {1}ms for milliseconds",
                      shown(text), text);
  }
  if (*ns > static_cast<Wide>(std::numeric_limits<int64_t>::max())) throw Overflow();
  return static_cast<int64_t>(*ns);
} catch (const Overflow&) {
  throw usage_error("{} is outside what a duration can hold; the longest is 106751d (2^63 - 1 ns)",
                    shown(text));
}

Rate parse_rate(std::string_view text) try {
  if (text.starts_with("gap=")) return parse_gap(text.substr(4));
  const Fraction value = rate_fraction(text);
  if (value.num == 0) throw usage_error("{} is no rate; it must be above zero", shown(text));
  if (!fits(value)) throw Overflow();
  return {static_cast<uint64_t>(value.num), static_cast<uint64_t>(value.den)};
} catch (const Overflow&) {
  throw usage_error(
      "{} is outside what a rate can hold: a ratio of events to nanoseconds, each below 2^64 in lowest terms",
      shown(text));
}

Rate parse_gap(std::string_view text) {
  const int64_t ns = parse_duration(text);
  if (ns == 0) throw usage_error("{} is no gap; it must be above zero", shown(text));
  return {1, static_cast<uint64_t>(ns)};
}

uint64_t parse_count(std::string_view text) {
  return parse_whole(text, count_suffixes, "count",
                     "write a whole number, with k, M, G or T for powers of 1000, as in 80000, 4k or 1e6");
}

uint64_t parse_size(std::string_view text) {
  return parse_whole(text, size_suffixes, "size in bytes",
                     "write a number with k, M, G or T for powers of 1000 or Ki, Mi, Gi or Ti for powers of "
                     "1024, as in 512, 4kB or 2GiB");
}

Ratio parse_ratio(std::string_view text) try {
  std::string_view rest = text;
  auto value = take_number(rest);
  if (value && rest == "%") {
    value = quotient(*value, {100, 1});
    rest = {};
  } else if (value && rest.starts_with('/')) {
    rest.remove_prefix(1);
    const auto den = take_number(rest);
    if (!den || den->num == 0) value.reset();
    if (value) value = quotient(*value, *den);
  }
  if (!value || !rest.empty()) throw not_a(text, "ratio", "write a number from 0 up, as in 0.25, 5% or 1/3");
  if (!fits(*value)) throw Overflow();
  return {static_cast<uint64_t>(value->num), static_cast<uint64_t>(value->den)};
} catch (const Overflow&) {
  throw usage_error("{} is outside what a ratio can hold: two whole numbers, each below 2^64 in lowest terms",
                    shown(text));
}

double parse_double(std::string_view text) {
  const bool percent = text.ends_with('%');
  std::string digits(text.substr(0, text.size() - (percent ? 1 : 0)));
  const bool has_exponent = digits.find_first_of("eE") != digits.npos;
  if (percent && !has_exponent) digits += "e-2";  // in the text, so that the value is rounded once
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) {
    throw usage_error("{} is outside the range of a double, about 5e-324 to 1.8e308", shown(text));
  }
  if (error != std::errc() || end != digits.data() + digits.size() || !std::isfinite(value)) {
    throw not_a(text, "number", "write one as in 3, 0.5, 1e-3 or 5%");
  }
  return percent && has_exponent ? value / 100 : value;
}

}  // namespace mlq
