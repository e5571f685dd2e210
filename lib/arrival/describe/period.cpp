#include "lib/arrival/describe/period.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/arrival/trace/count_series.h"
#include "lib/base/fmath.h"
#include "lib/stats/fft.h"

namespace mlq::arrival {
namespace {

constexpr size_t kFewestPeriods = 4;
constexpr size_t kMaxSize = size_t{1} << 15;
constexpr double kTwoPi = 6.283185307179586;

// How many neighbours are joined so that at most kMaxSize are left.
size_t join_factor(size_t size) { return (size + kMaxSize - 1) / kMaxSize; }

// The series so joined, less its mean. A last one that is not full is left out.
std::vector<double> prepared(std::span<const double> counts) {
  const size_t factor = join_factor(counts.size());
  std::vector<double> x = joined(counts.first(counts.size() / factor * factor), factor);
  double sum = 0;
  for (const double value : x) sum += value;
  for (double& value : x) value -= sum / static_cast<double>(x.size());
  return x;
}

// |X_k|^2 at k cycles over the series, k not whole, by Goertzel's recurrence.
double power_at(std::span<const double> x, double k) {
  const double twice_cos = 2 * fmath::cos(kTwoPi * k / static_cast<double>(x.size()));
  double last = 0, before = 0;
  for (const double value : x) {
    const double next = value + twice_cos * last - before;
    before = last;
    last = next;
  }
  return last * last + before * before - twice_cos * last * before;
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

// |X_k|^2 for 0 <= k < n/2, for any n: Bluestein (IEEE Trans. Audio Electroacoust. 18, 1970) writes kt as
// (k^2 + t^2 - (k - t)^2) / 2, which makes the transform a convolution with a chirp.
std::vector<double> periodogram(std::span<const double> x) {
  const size_t n = x.size();
  size_t size = 1;
  while (size < 2 * n) size *= 2;
  std::vector<double> a_re(size), a_im(size), b_re(size), b_im(size);
  for (size_t t = 0; t < n; ++t) {
    const double angle = kTwoPi / 2 * static_cast<double>(t * t % (2 * n)) / static_cast<double>(n);
    const double c = fmath::cos(angle);
    const double s = fmath::sin(angle);
    a_re[t] = x[t] * c;
    a_im[t] = -x[t] * s;
    b_re[t] = b_re[(size - t) % size] = c;
    b_im[t] = b_im[(size - t) % size] = s;
  }
  const stats::Fft fft(size);
  fft.forward(a_re, a_im);
  fft.forward(b_re, b_im);
  for (size_t k = 0; k < size; ++k) {
    const double re = a_re[k] * b_re[k] - a_im[k] * b_im[k];
    a_im[k] = a_re[k] * b_im[k] + a_im[k] * b_re[k];
    a_re[k] = re;
  }
  fft.inverse(a_re, a_im);
  std::vector<double> power((n + 1) / 2);
  for (size_t k = 1; k < power.size(); ++k) power[k] = a_re[k] * a_re[k] + a_im[k] * a_im[k];
  return power;
}

// Ordinates over the level of their surroundings: Exp(1) where there is no line.
std::vector<double> levelled(const std::vector<double>& power) {
  constexpr double euler_gamma = 0.5772156649015329;  // -E ln Exp(1)
  // What rounding leaves where there is nothing.
  const double nothing = 1e-12 * *std::max_element(power.begin(), power.end());
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
  const std::vector<double> x = prepared(counts);
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
      const size_t steps = x.size() * join_factor(counts.size());
      return static_cast<double>(steps) / refined(x, k);
    }
  }
  return std::nullopt;
}

}  // namespace mlq::arrival
