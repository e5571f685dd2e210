#include "lib/arrival/text/decimal.h"

#include <algorithm>
#include <charconv>

namespace mlq::arrival {
namespace {

constexpr int kMostDigits = 37;  // 10^37 < 2^126

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A decimal number taken apart: (-1)^negative * mantissa * 10^exponent, plus something below one unit of the
// mantissa if `inexact`.
struct Parts {
  Wide mantissa = 0;
  int digits = 0;  // of the mantissa, without leading zeros
  int exponent = 0;
  bool negative = false;
  bool inexact = false;
};

// Takes the digits at the front of `text`; false if there are none.
bool take_digits(std::string_view& text, Parts& parts, bool fraction) {
  const size_t had = text.size();
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
    const int digit = text.front() - '0';
    if (parts.digits == kMostDigits) {
      parts.inexact = parts.inexact || digit != 0;
      if (!fraction && ++parts.exponent > kMostDigits) return false;
      continue;
    }
    parts.mantissa = parts.mantissa * 10 + digit;
    if (parts.mantissa != 0) ++parts.digits;
    if (fraction) --parts.exponent;
  }
  return text.size() < had;
}

bool take_exponent(std::string_view& text, Parts& parts) {
  if (text.empty() || (text.front() != 'e' && text.front() != 'E')) return true;
  text.remove_prefix(1);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  int exponent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  parts.exponent += std::clamp(exponent, -1000000, 1000000);
  return true;
}

std::optional<Parts> take_apart(std::string_view text) {
  Parts parts;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    parts.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  const bool whole = take_digits(text, parts, false);
  bool fraction = false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text, parts, true);
  }
  if ((!whole && !fraction) || !take_exponent(text, parts) || !text.empty()) return std::nullopt;
  return parts;
}

}  // namespace

std::optional<Wide> parse_decimal(std::string_view text, int digits) {
  auto parts = take_apart(text);
  if (!parts) return std::nullopt;
  Wide value = parts->mantissa;
  int shift = parts->exponent + digits;
  bool inexact = parts->inexact;
  if (value != 0 && parts->digits + shift > kMostDigits) return std::nullopt;
  for (; shift > 0 && value != 0; --shift) value *= 10;
  for (; shift < 0 && value != 0; ++shift) {
    inexact = inexact || value % 10 != 0;
    value /= 10;
  }
  return parts->negative ? -value - (inexact ? 1 : 0) : value;
}

std::optional<int64_t> parse_decimal64(std::string_view text, int digits) {
  const auto value = parse_decimal(text, digits);
  if (!value || *value < INT64_MIN || *value > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(*value);
}

std::optional<uint64_t> parse_whole(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace mlq::arrival
