// Counts, independence, moments and many tests at once: the second half of gof.h.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/base/fmath.h"
#include "lib/stats/gof_detail.h"
#include "lib/stats/special.h"

namespace mlq::stats {
namespace {

using namespace detail;

constexpr double kNormalLimit = 2.5758293035489004;  // two-sided 1%
constexpr size_t kSerialMinimum = 50;
constexpr uint64_t kDispersionMinimum = 30;
constexpr double kCellMinimum = 5;

TestResult normal_result(double z, uint64_t n) {
  return {z, 2 * normal_sf(std::fabs(z)), 0, n, z < 0 ? -kNormalLimit : kNormalLimit};
}

TestResult chi_square_result(double statistic, double df, uint64_t n) {
  return {statistic, chi_square_sf(statistic, df), df, n, chi_square_quantile(0.99, df)};
}

// Normal scores of the ranks, in the order of the values.
std::vector<double> normal_scores(std::span<const double> values) {
  const size_t n = values.size();
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> scores(n);
  for (size_t from = 0; from < n;) {
    size_t to = from + 1;
    while (to < n && values[order[to]] == values[order[from]]) ++to;
    const double mean_rank = 0.5 * static_cast<double>(from + to);  // of ranks from+1/2 .. to-1/2
    const double score = fmath::normal_quantile(mean_rank / static_cast<double>(n));
    for (size_t k = from; k < to; ++k) scores[order[k]] = score;
    from = to;
  }
  return scores;
}

}  // namespace

TestResult chi_square_test(std::span<const uint64_t> observed, std::span<const double> expected,
                           unsigned estimated) {
  std::vector<double> seen;
  std::vector<double> due;
  bool open = false;  // the last cell is still to grow
  uint64_t n = 0;
  for (size_t i = 0; i < observed.size(); ++i) {
    n += observed[i];
    if (!open) {
      seen.push_back(0);
      due.push_back(0);
    }
    seen.back() += static_cast<double>(observed[i]);
    due.back() += expected[i];
    open = due.back() < kCellMinimum;
  }
  if (open && due.size() > 1) {
    const double rest_seen = seen.back();
    const double rest_due = due.back();
    seen.pop_back();
    due.pop_back();
    seen.back() += rest_seen;
    due.back() += rest_due;
  }
  Sum statistic;
  for (size_t i = 0; i < due.size(); ++i) statistic += (seen[i] - due[i]) * (seen[i] - due[i]) / due[i];
  if (due.size() < 2 + size_t{estimated}) return no_verdict(statistic.value(), n);
  return chi_square_result(statistic.value(), static_cast<double>(due.size() - 1 - estimated), n);
}

TestResult dispersion_test(double idc, uint64_t windows) {
  if (windows < kDispersionMinimum || std::isnan(idc)) return no_verdict(kNaN, windows);
  const double df = static_cast<double>(windows - 1);
  const double statistic = df * idc;
  const double p = 2 * std::min(chi_square_cdf(statistic, df), chi_square_sf(statistic, df));
  return {statistic, std::min(p, 1.0), df, windows, chi_square_quantile(statistic > df ? 0.995 : 0.005, df)};
}

TestResult ljung_box(std::span<const double> values, unsigned max_lag) {
  const size_t n = values.size();
  if (n < kSerialMinimum) return no_verdict(kNaN, n);
  const std::vector<double> z = normal_scores(values);
  Sum power;
  for (const double v : z) power += v * v;
  if (!(power.value() > 0)) return no_verdict(kNaN, n);
  const size_t lags = std::min<size_t>(max_lag, n / 5);
  Sum q;
  for (size_t lag = 1; lag <= lags; ++lag) {
    Sum product;
    for (size_t t = lag; t < n; ++t) product += z[t] * z[t - lag];
    const double r = product.value() / power.value();
    q += r * r / static_cast<double>(n - lag);
  }
  const double size = static_cast<double>(n);
  return chi_square_result(size * (size + 2) * q.value(), static_cast<double>(lags), n);
}

TestResult runs_test(std::span<const double> values) {
  if (values.size() < kSerialMinimum) return no_verdict(kNaN, values.size());
  std::vector<double> sorted(values.begin(), values.end());
  const size_t half = sorted.size() / 2;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(half), sorted.end());
  double median = sorted[half];
  if (sorted.size() % 2 == 0) {
    median =
        0.5 * (median + *std::max_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(half)));
  }
  uint64_t above = 0;
  uint64_t below = 0;
  uint64_t runs = 0;
  bool last_above = false;
  for (const double x : values) {
    if (x == median) continue;
    const bool is_above = x > median;
    runs += above + below == 0 || is_above != last_above;
    (is_above ? above : below) += 1;
    last_above = is_above;
  }
  const double a = static_cast<double>(above);
  const double b = static_cast<double>(below);
  const double n = a + b;
  if (n < kSerialMinimum) return no_verdict(kNaN, above + below);
  const double mean = 2 * a * b / n + 1;
  const double variance = (mean - 1) * (mean - 2) / (n - 1);
  return normal_result((static_cast<double>(runs) - mean) / std::sqrt(variance), above + below);
}

Moments moments(std::span<const double> values) {
  Moments result{values.size(), kNaN, kNaN, kNaN, kNaN, kNaN, kNaN};
  if (values.empty()) return result;
  const double n = static_cast<double>(values.size());
  result.mean = mean_of(values);
  Sum second;
  Sum third;
  for (const double x : values) {
    const double d = x - result.mean;
    second += d * d;
    third += d * d * d;
  }
  const double sd = std::sqrt(second.value() / n);
  if (values.size() < 2) return result;
  result.mean_error = sd / std::sqrt(n);
  result.cv = sd / result.mean;
  if (!(sd > 0)) return result;
  result.skewness = third.value() / n / (sd * sd * sd);
  Sum cv_influence;
  Sum skewness_influence;
  for (const double x : values) {
    const double z = (x - result.mean) / sd;
    const double c = result.cv * ((z * z - 1) / 2 - result.cv * z);
    const double s = z * z * z - 3 * z - result.skewness - 1.5 * result.skewness * (z * z - 1);
    cv_influence += c * c;
    skewness_influence += s * s;
  }
  result.cv_error = std::sqrt(cv_influence.value()) / n;
  result.skewness_error = std::sqrt(skewness_influence.value()) / n;
  return result;
}

TestResult moment_test(double observed, double expected, double standard_error, uint64_t n) {
  const double z = (observed - expected) / standard_error;
  return std::isfinite(z) ? normal_result(z, n) : no_verdict(z, n);
}

HolmResult holm(std::span<const double> p_values, double alpha) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p_values.size(); ++i) {
    if (!std::isnan(p_values[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  HolmResult result{std::vector<double>(p_values.size(), kNaN), std::vector<bool>(p_values.size(), false)};
  double adjusted = 0;
  size_t left = order.size();
  for (const size_t i : order) {
    adjusted = std::max(adjusted, std::min(1.0, static_cast<double>(left--) * p_values[i]));
    result.adjusted[i] = adjusted;
    result.failed[i] = adjusted <= alpha;
  }
  return result;
}

}  // namespace mlq::stats
