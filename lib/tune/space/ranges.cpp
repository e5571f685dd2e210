#include "lib/tune/space/ranges.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "lib/base/fmath.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {
namespace {

// So that 0.3 does not become 0.30000000000000004.
double tidy(double x) {
  const std::string text = fmt::format("{:.12g}", x);
  double out = x;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

void append(std::vector<KnobValue>& values, double x) {
  if (values.empty() || number_of(values.back()) < x) values.emplace_back(x);
}
void append(std::vector<KnobValue>& values, int64_t x) {
  if (values.empty() || std::get<int64_t>(values.back()) < x) values.emplace_back(x);
}

double share(size_t k, size_t n) { return static_cast<double>(k) / static_cast<double>(n - 1); }

// `x`, which rounding may have carried out of it, within the range.
int64_t whole(double x, int64_t min, int64_t max) {
  if (x <= static_cast<double>(min)) return min;
  if (x >= static_cast<double>(max)) return max;
  return static_cast<int64_t>(std::floor(x + 0.5));
}

}  // namespace

std::vector<KnobValue> int_range(int64_t min, int64_t max, int64_t step) {
  std::vector<KnobValue> out;
  for (int64_t v = min; v <= max;) {
    out.emplace_back(v);
    if (__builtin_add_overflow(v, step, &v)) break;
  }
  return out;
}

std::vector<KnobValue> log_int_range(int64_t min, int64_t max, double factor) {
  std::vector<KnobValue> out;
  const auto end = static_cast<double>(max);
  for (double x = static_cast<double>(min); std::floor(x + 0.5) <= end; x *= factor)
    append(out, whole(x, min, max));
  return out;
}

std::vector<KnobValue> float_range(double min, double max, size_t n) {
  std::vector<KnobValue> out{min};
  for (size_t k = 1; k + 1 < n; ++k) append(out, tidy(min * (1 - share(k, n)) + max * share(k, n)));
  append(out, max);
  return out;
}

std::vector<KnobValue> log_float_range(double min, double max, size_t n) {
  std::vector<KnobValue> out{min};
  const double low = fmath::log(min), high = fmath::log(max);
  for (size_t k = 1; k + 1 < n; ++k)
    if (const double x = tidy(fmath::exp(low + (high - low) * share(k, n))); x < max) append(out, x);
  append(out, max);
  return out;
}

std::vector<KnobValue> thinned_range(int64_t min, int64_t max, size_t n) {
  std::vector<KnobValue> out{min};
  const auto low = static_cast<double>(min), high = static_cast<double>(max);
  for (size_t k = 1; k + 1 < n; ++k)
    append(out, whole(low * (1 - share(k, n)) + high * share(k, n), min, max));
  append(out, max);
  return out;
}

std::vector<KnobValue> thinned_log_range(int64_t min, int64_t max, size_t n) {
  std::vector<KnobValue> out{min};
  const double low = fmath::log(static_cast<double>(min)), high = fmath::log(static_cast<double>(max));
  for (size_t k = 1; k + 1 < n; ++k)
    append(out, whole(fmath::exp(low + (high - low) * share(k, n)), min, max));
  append(out, max);
  return out;
}

void insert_value(std::vector<KnobValue>& values, const KnobValue& value) {
  const auto at = std::ranges::lower_bound(values, value, number_less);
  if (at == values.end() || number_less(value, *at)) values.insert(at, value);
}

}  // namespace mlq::tune
