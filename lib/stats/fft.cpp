#include "lib/stats/fft.h"

#include <bit>
#include <stdexcept>
#include <utility>

#include "lib/base/fmath.h"

namespace mlq::stats {
namespace {

// exp(-2 pi i k / n), 0 <= k <= n/8, n a power of two.
Complex root_in_first_octant(size_t k, size_t n) {
  const double angle = 6.28318530717958647693 * (static_cast<double>(k) / static_cast<double>(n));
  return {fmath::cos(angle), -fmath::sin(angle)};
}

// exp(-2 pi i k / n) for 0 <= k < n/2, n >= 8, by reflection into the first octant.
void fill_roots(Complex* roots, size_t n) {
  const size_t quarter = n / 4;
  for (size_t k = 0; k <= n / 8; ++k) {
    const Complex w = root_in_first_octant(k, n);
    roots[k] = w;
    if (k > 0) roots[quarter - k] = {-w.im, -w.re};
    roots[quarter + k] = {w.im, -w.re};
    if (k > 0) roots[2 * quarter - k] = {-w.re, w.im};
  }
  roots[quarter] = {0, -1};
}

void bit_reverse(std::span<Complex> x) {
  size_t reversed = 0;
  for (size_t k = 1; k < x.size(); ++k) {
    size_t bit = x.size() >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed ^= bit;
    if (k < reversed) std::swap(x[k], x[reversed]);
  }
}

}  // namespace

Fft::Fft(size_t n) : n_(n) {
  if (!std::has_single_bit(n) || n > kMaxSize)
    throw std::invalid_argument("Fft: size is not a power of two up to 2^23");
  twiddles_.resize(n < 8 ? 8 : n);
  const size_t top = twiddles_.size();
  fill_roots(&twiddles_[top / 2], top);
  for (size_t length = top / 2; length >= 2; length /= 2) {
    for (size_t k = 0; k < length / 2; ++k) twiddles_[length / 2 + k] = twiddles_[length + 2 * k];
  }
}

void Fft::transform(Complex* x, size_t n) const {
  if (n == 1) return;
  const size_t half = n / 2;
  transform(x, half);
  transform(x + half, half);
  const Complex* w = &twiddles_[half];
  for (size_t k = 0; k < half; ++k) {
    const Complex a = x[k];
    const Complex b = x[k + half];
    const Complex t{b.re * w[k].re - b.im * w[k].im, b.re * w[k].im + b.im * w[k].re};
    x[k] = {a.re + t.re, a.im + t.im};
    x[k + half] = {a.re - t.re, a.im - t.im};
  }
}

void Fft::forward(std::span<Complex> x) const {
  bit_reverse(x);
  transform(x.data(), n_);
}

void Fft::inverse(std::span<Complex> x) const {
  for (Complex& c : x) c.im = -c.im;
  forward(x);
  const double scale = 1 / static_cast<double>(n_);
  for (Complex& c : x) c = {c.re * scale, -c.im * scale};
}

}  // namespace mlq::stats
