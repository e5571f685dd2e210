#include "lib/arrival/period.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/stats/fft.h"

namespace mlq::arrival {
namespace {

constexpr size_t kFewestPeriods = 4;
constexpr size_t kMaxSize = size_t{1} << 15;
constexpr double kTwoPi = 6.283185307179586;

// The series cut into n equal parts (a power of two), which may cut through its steps, less its mean.
std::vector<double> resampled(std::span<const double> counts, size_t n) {
  std::vector<double> sums(counts.size() + 1);
  for (size_t k = 0; k < counts.size(); ++k) sums[k + 1] = sums[k] + counts[k];
  const double ratio = static_cast<double>(counts.size()) / static_cast<double>(n);
  const auto sum_until = [&](size_t part) {
    const double at = static_cast<double>(part) * ratio;
    const auto whole = std::min(static_cast<size_t>(at), counts.size() - 1);
    return sums[whole] + (at - static_cast<double>(whole)) * counts[whole];
  };
  const double mean = sums.back() / static_cast<double>(n);
  std::vector<double> parts(n);
  for (size_t k = 0; k < n; ++k) parts[k] = sum_until(k + 1) - sum_until(k) - mean;
  return parts;
}

// |X_k|^2 at k cycles over the series, k not whole.
double power_at(std::span<const double> x, double k) {
  const double step = kTwoPi * k / static_cast<double>(x.size());
  const double turn_re = fmath::cos(step);
  const double turn_im = fmath::sin(step);
  double re = 0, im = 0, c = 1, s = 0;
  for (const double value : x) {
    re += value * c;
    im += value * s;
    const double next = c * turn_re - s * turn_im;
    s = c * turn_im + s * turn_re;
    c = next;
  }
  return re * re + im * im;
}

// The k between the neighbours of the ordinate `peak` where the power is greatest, by golden section.
double refined(std::span<const double> x, size_t peak) {
  constexpr double golden = 0.6180339887498949;
  double lo = static_cast<double>(peak) - 1;
  double hi = static_cast<double>(peak) + 1;
  double a = hi - golden * (hi - lo);
  double b = lo + golden * (hi - lo);
  double power_a = power_at(x, a);
  double power_b = power_at(x, b);
  for (int step = 0; step < 30; ++step) {
    if (power_a > power_b) {
      hi = b;
      b = a;
      power_b = power_a;
      a = hi - golden * (hi - lo);
      power_a = power_at(x, a);
    } else {
      lo = a;
      a = b;
      power_a = power_b;
      b = lo + golden * (hi - lo);
      power_b = power_at(x, b);
    }
  }
  return (lo + hi) / 2;
}

std::vector<double> periodogram(std::span<const double> x) {
  std::vector<double> re(x.begin(), x.end());
  std::vector<double> im(x.size());
  stats::Fft(x.size()).forward(re, im);
  std::vector<double> power(x.size() / 2);
  for (size_t k = 1; k < power.size(); ++k) power[k] = re[k] * re[k] + im[k] * im[k];
  return power;
}

// Ordinates over the level of their surroundings: Exp(1) where there is no line.
std::vector<double> levelled(const std::vector<double>& power) {
  constexpr double euler_gamma = 0.5772156649015329;  // -E ln Exp(1)
  constexpr double nothing = 1e-300;
  constexpr double most = 7;  // e^7 is about 1,100 times the level
  std::vector<double> log_power(power.size());
  std::vector<double> log_k(power.size());
  for (size_t k = 1; k < power.size(); ++k) {
    log_power[k] = fmath::log(std::max(power[k], nothing));
    log_k[k] = fmath::log(static_cast<double>(k));
  }
  std::vector<double> levels(power.size());
  for (size_t k = kFewestPeriods; k < power.size(); ++k) {
    const size_t from = std::max(k / 2, k - std::min<size_t>(k, 50));
    const size_t to = std::min({power.size() - 1, 2 * k, k + 50});
    double w = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t j = from; j <= to; ++j) {
      if (j + 1 >= k && j <= k + 1) continue;
      const double dx = log_k[j] - log_k[k];
      w += 1;
      x += dx;
      y += log_power[j];
      xx += dx * dx;
      xy += dx * log_power[j];
    }
    const double level = (y * xx - x * xy) / (w * xx - x * x);
    // Bounded, so that one line on a silent background does not hide its harmonics from the test.
    levels[k] = fmath::exp(std::min(most, log_power[k] - level - euler_gamma));
  }
  return levels;
}

}  // namespace

std::optional<double> strongest_period(std::span<const double> counts) {
  constexpr double alpha = 1e-4;
  if (counts.size() < 64) return std::nullopt;
  size_t n = 64;
  while (n * 2 <= std::min(counts.size(), kMaxSize)) n *= 2;
  const std::vector<double> x = resampled(counts, n);
  if (std::none_of(x.begin(), x.end(), [](double v) { return std::fabs(v) > 1e-9; })) return std::nullopt;
  const std::vector<double> power = periodogram(x);
  const std::vector<double> levels = levelled(power);

  const double q = static_cast<double>(levels.size() - kFewestPeriods);
  double sum = 0;
  for (const double z : levels) sum += z;
  const auto is_line = [&](size_t k) {
    const double p = q * fmath::exp((q - 1) * fmath::log1p(-std::min(levels[k] / sum, 1 - 1e-12)));
    return p < alpha && power[k] >= power[k - 1] && (k + 1 == power.size() || power[k] >= power[k + 1]);
  };
  double greatest = 0;
  for (size_t k = kFewestPeriods; k < levels.size(); ++k) {
    if (is_line(k)) greatest = std::max(greatest, power[k]);
  }
  for (size_t k = kFewestPeriods; k < levels.size() && greatest > 0; ++k) {
    if (is_line(k) && power[k] >= greatest / 4) {
      return static_cast<double>(counts.size()) / refined(x, k);
    }
  }
  return std::nullopt;
}

}  // namespace mlq::arrival
