// Local Whittle and wavelet estimators of the Hurst parameter.
#include <bit>
#include <cmath>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/stats/fft.h"
#include "lib/stats/hurst_detail.h"

namespace mlq::stats {
namespace {

using namespace detail;

constexpr double kNormal975 = 1.959963984540054;
constexpr double kLn2 = 0.693147180559945309417;

// |X_j|^2 at the frequencies j = 1 .. m; the constant in front drops out of the estimator.
std::vector<double> periodogram(std::span<const double> x, size_t m) {
  const Fft fft(x.size());
  std::vector<double> re(x.begin(), x.end());
  std::vector<double> im(x.size());
  const double origin = x[0];
  for (double& v : re) v -= origin;
  fft.forward(re, im);
  std::vector<double> power(m);
  for (size_t j = 1; j <= m; ++j) power[j - 1] = re[j] * re[j] + im[j] * im[j];
  return power;
}

// Robinson's objective R(H) on frequencies proportional to j.
class WhittleObjective {
 public:
  explicit WhittleObjective(std::vector<double> power) : power_(std::move(power)), log_j_(power_.size()) {
    for (size_t j = 0; j < power_.size(); ++j) {
      log_j_[j] = fmath::log(static_cast<double>(j + 1));
      mean_log_ += log_j_[j] / static_cast<double>(power_.size());
    }
  }
  double operator()(double h) const {
    const double d = 2 * h - 1;
    Sum sum;
    for (size_t j = 0; j < power_.size(); ++j) sum += fmath::exp(d * (log_j_[j] - mean_log_)) * power_[j];
    return fmath::log(sum.value());
  }

 private:
  std::vector<double> power_;
  std::vector<double> log_j_;
  double mean_log_ = 0;
};

// The minimum of a convex function by golden section, to 1e-7.
template <class F>
double minimise(const F& f, double low, double high) {
  constexpr double kGolden = 0.618033988749894848205;
  double a = high - kGolden * (high - low);
  double b = low + kGolden * (high - low);
  double fa = f(a);
  double fb = f(b);
  while (high - low > 1e-7) {
    if (fa < fb) {
      high = b;
      b = a;
      fb = fa;
      a = high - kGolden * (high - low);
      fa = f(a);
    } else {
      low = a;
      a = b;
      fa = fb;
      b = low + kGolden * (high - low);
      fb = f(b);
    }
  }
  return (low + high) / 2;
}

// Low-pass filter of the Daubechies wavelet with 3 vanishing moments, from its closed form (Daubechies, Ten
// Lectures, 6.1).
std::vector<double> daubechies3() {
  const double s = std::sqrt(10.0);
  const double t = std::sqrt(5 + 2 * s);
  const double scale = 16 * std::sqrt(2.0);
  return {(1 + s + t) / scale,          (5 + s + 3 * t) / scale, (10 - 2 * s + 2 * t) / scale,
          (10 - 2 * s - 2 * t) / scale, (5 + s - 3 * t) / scale, (1 + s - t) / scale};
}

// One octave: replaces `smooth` by its half and returns the mean squared detail. Only coefficients that lie
// wholly in the data are made; `count` says how many.
double wavelet_octave(std::vector<double>& smooth, const std::vector<double>& low, size_t& count) {
  count = smooth.size() < low.size() ? 0 : (smooth.size() - low.size()) / 2 + 1;
  Sum energy;
  for (size_t k = 0; k < count; ++k) {
    double coarse = 0;
    double detail = 0;
    for (size_t i = 0; i < low.size(); ++i) {
      const double v = smooth[2 * k + i];
      coarse += low[i] * v;
      detail += (i % 2 == 0 ? 1 : -1) * low[low.size() - 1 - i] * v;
    }
    smooth[k] = coarse;  // 2k >= k: what is overwritten is not read again
    energy += detail * detail;
  }
  smooth.resize(count);
  return energy.value() / static_cast<double>(count);
}

double digamma(double x) {
  double shift = 0;
  for (; x < 10; x += 1) shift -= 1 / x;
  const double r = 1 / (x * x);
  return shift + fmath::log(x) - 0.5 / x - r * (1.0 / 12 - r * (1.0 / 120 - r * (1.0 / 252 - r / 240)));
}

double trigamma(double x) {
  double shift = 0;
  for (; x < 10; x += 1) shift += 1 / (x * x);
  const double r = 1 / (x * x);
  return shift + 1 / x + r / 2 + r / x * (1.0 / 6 - r * (1.0 / 30 - r * (1.0 / 42 - r / 30)));
}

}  // namespace

HurstEstimate hurst_local_whittle(std::span<const double> x) {
  const std::span<const double> used = x.first(std::min(std::bit_floor(x.size()), Fft::kMaxSize));
  if (!can_estimate_hurst(used)) return kNoHurst;
  const double n = static_cast<double>(used.size());
  const size_t m = static_cast<size_t>(fmath::pow(n, 0.65));
  const double h = minimise(WhittleObjective(periodogram(used, m)), 0.01, 0.999);
  const double half = kNormal975 / (2 * std::sqrt(static_cast<double>(m)));
  return {h, h - half, h + half};
}

HurstEstimate hurst_wavelet(std::span<const double> x) {
  if (!can_estimate_hurst(x)) return kNoHurst;
  const std::vector<double> low = daubechies3();
  std::vector<double> smooth(x.begin(), x.end());
  const double origin = x[0];
  for (double& v : smooth) v -= origin;
  Regression regression;
  int octaves = 0;
  for (int octave = 1;; ++octave) {
    size_t count = 0;
    const double energy = wavelet_octave(smooth, low, count);
    if (count < 8 || !(energy > 0)) break;
    if (octave < 4) continue;
    const double half = static_cast<double>(count) / 2;
    const double bias =
        digamma(half) / kLn2 - fmath::log(half) / kLn2;  // of log2 of a mean of `count` squares
    const double variance = trigamma(half) / (kLn2 * kLn2);
    regression.add(octave, fmath::log(energy) / kLn2 - bias, 1 / variance);
    ++octaves;
  }
  if (octaves < 2) return kNoHurst;
  const double h = (regression.slope() + 1) / 2;
  const double half = kNormal975 * std::sqrt(regression.slope_variance()) / 2;
  return {h, h - half, h + half};
}

}  // namespace mlq::stats
