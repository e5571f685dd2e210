#include "lib/stats/fft.h"

#include <bit>
#include <stdexcept>
#include <utility>

#include "lib/base/fmath.h"

namespace mlq::stats {
namespace {

// exp(-2 pi i k / n) at re[k], im[k] for 0 <= k < n/2, n >= 8, by reflection from the first octant.
void fill_roots(double* re, double* im, size_t n) {
  const size_t quarter = n / 4;
  const auto set = [&](size_t k, double real, double imaginary) {
    re[k] = real;
    im[k] = imaginary;
  };
  for (size_t k = 0; k <= n / 8; ++k) {
    const double angle = 6.28318530717958647693 * (static_cast<double>(k) / static_cast<double>(n));
    const double c = fmath::cos(angle);
    const double s = fmath::sin(angle);
    set(quarter + k, -s, -c);
    if (k > 0) set(quarter - k, s, -c);
    if (k > 0) set(2 * quarter - k, -c, -s);
    set(k, c, -s);
  }
  set(quarter, 0, -1);
}

void bit_reverse(std::span<double> re, std::span<double> im) {
  size_t reversed = 0;
  for (size_t k = 1; k < re.size(); ++k) {
    size_t bit = re.size() >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed ^= bit;
    if (k < reversed) {
      std::swap(re[k], re[reversed]);
      std::swap(im[k], im[reversed]);
    }
  }
}

}  // namespace

Fft::Fft(size_t n) : n_(n) {
  if (!std::has_single_bit(n) || n > kMaxSize) {
    throw std::invalid_argument("Fft: size is not a power of two up to 2^23");
  }
  const size_t top = n < 8 ? 8 : n;
  cos_.resize(top);
  minus_sin_.resize(top);
  fill_roots(&cos_[top / 2], &minus_sin_[top / 2], top);
  for (size_t half = top / 4; half >= 1; half /= 2) {
    for (size_t k = 0; k < half; ++k) {
      cos_[half + k] = cos_[2 * (half + k)];
      minus_sin_[half + k] = minus_sin_[2 * (half + k)];
    }
  }
}

void Fft::transform(double* re, double* im, size_t n) const {
  if (n == 1) return;
  const size_t half = n / 2;
  transform(re, im, half);
  transform(re + half, im + half, half);
  const double* c = &cos_[half];
  const double* s = &minus_sin_[half];
  for (size_t k = 0; k < half; ++k) {
    const double t_re = re[k + half] * c[k] - im[k + half] * s[k];
    const double t_im = re[k + half] * s[k] + im[k + half] * c[k];
    re[k + half] = re[k] - t_re;
    im[k + half] = im[k] - t_im;
    re[k] += t_re;
    im[k] += t_im;
  }
}

void Fft::forward(std::span<double> re, std::span<double> im) const {
  bit_reverse(re, im);
  transform(re.data(), im.data(), n_);
}

void Fft::inverse(std::span<double> re, std::span<double> im) const {
  forward(im, re);  // swapping the parts before and after conjugates the kernel
  const double scale = 1 / static_cast<double>(n_);
  for (double& v : re) v *= scale;
  for (double& v : im) v *= scale;
}

}  // namespace mlq::stats
