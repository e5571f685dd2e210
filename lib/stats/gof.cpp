#include "lib/stats/gof.h"

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/stats/gof_detail.h"
#include "lib/stats/special.h"
#include "lib/stats/sum.h"

namespace mlq::stats {
namespace {

using namespace detail;

constexpr double kKolmogorovLimit = 1.6276236115189503;  // Q = 0.01
constexpr double kAndersonDarlingLimit = 3.8781250216;   // limit law, 1%

TestResult kolmogorov_result(double distance, double effective_n, uint64_t n) {
  const double root = std::sqrt(effective_n);
  const double lambda = (root + 0.12 + 0.11 / root) * distance;
  return {lambda, kolmogorov_q(lambda), 0, n, kKolmogorovLimit};
}

// KS distance of a sorted sample whose i-th value has the probability u(i) under the law.
template <class U>
double distance_from(size_t n, U u) {
  const double size = static_cast<double>(n);
  double distance = 0;
  for (size_t i = 0; i < n; ++i) {
    const double at = u(i);
    distance =
        std::max({distance, static_cast<double>(i + 1) / size - at, at - static_cast<double>(i) / size});
  }
  return distance;
}

double log_of_probability(double u) { return fmath::log(std::max(u, 1e-300)); }

struct TablePoint {
  double p, statistic;
};

// Upper-tail points under the null. The four of 5% and below are those of the design (n = 100, 6 million
// samples); the body, which only the uniformity of p-values needs, is from 2 million samples of n = 1,000.
// Standard error in p below 1% of p.
constexpr TablePoint kDStar[] = {{1, 0},        {0.999, 0.341}, {0.99, 0.3985}, {0.95, 0.463}, {0.9, 0.505},
                                 {0.8, 0.5625}, {0.7, 0.610},   {0.6, 0.655},   {0.5, 0.701},  {0.4, 0.7505},
                                 {0.3, 0.808},  {0.2, 0.881},   {0.1, 0.992},   {0.05, 1.09},  {0.01, 1.29},
                                 {1e-3, 1.54},  {1e-4, 1.75}};
constexpr TablePoint kAStar[] = {{1, 0},        {0.999, 0.118}, {0.99, 0.159}, {0.95, 0.214}, {0.9, 0.2535},
                                 {0.8, 0.3155}, {0.7, 0.372},   {0.6, 0.431},  {0.5, 0.4965}, {0.4, 0.574},
                                 {0.3, 0.673},  {0.2, 0.814},   {0.1, 1.062},  {0.05, 1.32},  {0.01, 1.97},
                                 {1e-3, 2.96},  {1e-4, 3.99}};

// ln p linear between the points; beyond the last, the last slope goes on.
double table_p_value(std::span<const TablePoint> table, double statistic) {
  if (!(statistic > 0)) return std::isnan(statistic) ? kNaN : 1;
  size_t k = 1;
  while (k + 1 < table.size() && table[k].statistic < statistic) ++k;
  const TablePoint& a = table[k - 1];
  const TablePoint& b = table[k];
  const double log_a = fmath::log(a.p);
  const double slope = (fmath::log(b.p) - log_a) / (b.statistic - a.statistic);
  return fmath::exp(log_a + slope * (statistic - a.statistic));
}

constexpr size_t kExponentialMinimum = 10;

}  // namespace

double ks_distance(std::span<const double> sorted_u) {
  return distance_from(sorted_u.size(), [&](size_t i) { return sorted_u[i]; });
}

TestResult ks_uniform(std::span<const double> sorted_u) {
  if (sorted_u.empty()) return no_verdict(kNaN, 0);
  return kolmogorov_result(ks_distance(sorted_u), static_cast<double>(sorted_u.size()), sorted_u.size());
}

double anderson_darling_statistic(std::span<const double> sorted_u) {
  const size_t n = sorted_u.size();
  Sum sum;
  for (size_t i = 0; i < n; ++i) {
    const double above = std::max(1 - sorted_u[n - 1 - i], 0x1p-54);
    sum += static_cast<double>(2 * i + 1) * (log_of_probability(sorted_u[i]) + fmath::log(above));
  }
  return -static_cast<double>(n) - sum.value() / static_cast<double>(n);
}

TestResult anderson_darling_uniform(std::span<const double> sorted_u) {
  if (sorted_u.empty()) return no_verdict(kNaN, 0);
  const double a2 = anderson_darling_statistic(sorted_u);
  return {a2, anderson_darling_sf(a2, sorted_u.size()), 0, sorted_u.size(), kAndersonDarlingLimit};
}

TestResult ks_exponential(std::span<const double> sorted) {
  const size_t count = sorted.size();
  const double mean = mean_of(sorted);
  if (count < kExponentialMinimum || !(mean > 0)) return no_verdict(kNaN, count);
  const double n = static_cast<double>(count);
  const double distance = distance_from(count, [&](size_t i) { return -fmath::expm1(-sorted[i] / mean); });
  const double d_star = (distance - 0.2 / n) * (std::sqrt(n) + 0.26 + 0.5 / std::sqrt(n));
  return {d_star, table_p_value(kDStar, d_star), 0, count, 1.29};
}

TestResult anderson_darling_exponential(std::span<const double> sorted) {
  const size_t count = sorted.size();
  const double mean = mean_of(sorted);
  if (count < kExponentialMinimum || !(mean > 0)) return no_verdict(kNaN, count);
  const double n = static_cast<double>(count);
  Sum sum;  // ln(1 - u) is -x / mean exactly
  for (size_t i = 0; i < count; ++i) {
    const double x = sorted[i] / mean;
    sum += static_cast<double>(2 * i + 1) * log_of_probability(-fmath::expm1(-x));
    sum += -static_cast<double>(2 * (count - i) - 1) * x;
  }
  const double a_star = (-n - sum.value() / n) * (1 + 0.6 / n);
  return {a_star, table_p_value(kAStar, a_star), 0, count, 1.97};
}

std::vector<double> durbin_transform(std::span<const double> spacings) {
  if (spacings.size() < 2) return {};
  std::vector<double> sorted(spacings.begin(), spacings.end());
  std::sort(sorted.begin(), sorted.end());
  const double total = mean_of(sorted) * static_cast<double>(sorted.size());
  Sum sum;
  double before = 0;
  size_t left = sorted.size();
  for (double& c : sorted) {
    sum += static_cast<double>(left--) * (c - before);
    before = c;
    c = std::min(sum.value() / total, 1.0);
  }
  sorted.pop_back();  // the last is 1 by construction
  return sorted;
}

TestResult lewis_test(std::span<const double> spacings) { return ks_uniform(durbin_transform(spacings)); }

void append_log_transform(std::span<const double> times, double begin, double end, std::vector<double>& out) {
  while (!times.empty() && times.back() >= end) times = times.first(times.size() - 1);
  double left = static_cast<double>(times.size());
  double before = begin;
  for (const double t : times) {
    out.push_back(-left * fmath::log1p(-(t - before) / (end - before)));
    before = t;
    left -= 1;
  }
}

TestResult ks_two_sample(std::span<const double> sorted_a, std::span<const double> sorted_b) {
  const double n = static_cast<double>(sorted_a.size());
  const double m = static_cast<double>(sorted_b.size());
  if (sorted_a.empty() || sorted_b.empty()) return no_verdict(kNaN, sorted_a.size() + sorted_b.size());
  double distance = 0;
  for (size_t i = 0, j = 0; i < sorted_a.size() && j < sorted_b.size();) {
    const double x = std::min(sorted_a[i], sorted_b[j]);
    while (i < sorted_a.size() && sorted_a[i] == x) ++i;
    while (j < sorted_b.size() && sorted_b[j] == x) ++j;
    distance = std::max(distance, std::fabs(static_cast<double>(i) / n - static_cast<double>(j) / m));
  }
  return kolmogorov_result(distance, n * m / (n + m), sorted_a.size() + sorted_b.size());
}

}  // namespace mlq::stats
