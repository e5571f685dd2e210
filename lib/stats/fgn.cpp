#include "lib/stats/fgn.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/stats/fft.h"

namespace mlq::stats {
namespace {

// The first row of the circulant: gamma(0) .. gamma(m), then back down to gamma(1).
std::vector<double> circulant_row(size_t m, double hurst) {
  std::vector<double> row(2 * m);
  for (size_t k = 0; k <= m; ++k) row[k] = fgn_autocovariance(hurst, k);
  for (size_t k = 1; k < m; ++k) row[2 * m - k] = row[k];
  return row;
}

double normal(const RandomStream& random, uint64_t frequency, uint32_t stream) {
  return fmath::normal_quantile(random.uniform(frequency, 0, stream));
}

}  // namespace

double fgn_autocovariance(double hurst, uint64_t k) {
  const double a = 2 * hurst;
  if (k == 0) return 1;
  const double x = static_cast<double>(k);
  if (k < 16) return (fmath::pow(x + 1, a) - 2 * fmath::pow(x, a) + (k == 1 ? 0 : fmath::pow(x - 1, a))) / 2;
  // k^2H sum over even i >= 2 of binomial(2H, i) k^-i
  const double r = 1 / (x * x);
  double term = a * (a - 1) / 2;
  double sum = 0;
  for (double i = 2; i <= 18; i += 2) {
    sum += term;
    term *= (a - i) * (a - i - 1) / ((i + 1) * (i + 2)) * r;
  }
  return fmath::pow(x, a - 2) * sum;
}

std::vector<double> fgn(size_t n, double hurst, const RandomStream& random, uint32_t stream) {
  if (!(hurst > 0 && hurst < 1)) throw usage_error("Hurst parameter {} is not between 0 and 1", hurst);
  if (n < 1 || n > kFgnMaxSize)
    throw usage_error("fractional Gaussian noise of {} steps; 1 to 2^22 can be made", n);
  const size_t m = std::bit_ceil(n);
  const Fft fft(2 * m);
  std::vector<double> re = circulant_row(m, hurst);
  std::vector<double> im(2 * m);
  fft.forward(re, im);  // the eigenvalues, in re
  // Each becomes sqrt(eigenvalue / 2m) times a normal, complex and Hermitian so that the transform is real.
  const double scale = 1 / static_cast<double>(2 * m);
  const auto amplitude = [&](size_t j) { return std::sqrt(std::max(0.0, re[j]) * scale); };
  const auto set = [&](size_t j, double real, double imaginary) {
    re[j] = real;
    im[j] = imaginary;
  };
  set(0, amplitude(0) * normal(random, 0, stream), 0);
  set(m, amplitude(m) * normal(random, m, stream), 0);
  for (size_t j = 1; j < m; ++j) {
    const UniformPair u = random.uniforms(j, 0, stream);
    const double half = amplitude(j) * 0.707106781186547524401;
    const double a = half * fmath::normal_quantile(u.a);
    const double b = half * fmath::normal_quantile(u.b);
    set(j, a, b);
    set(2 * m - j, a, -b);
  }
  fft.forward(re, im);
  re.resize(n);
  return re;
}

}  // namespace mlq::stats
