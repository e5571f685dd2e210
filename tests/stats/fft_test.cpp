#include "lib/stats/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "lib/base/random.h"

namespace mlq::stats {
namespace {

std::vector<Complex> noise(size_t n, uint64_t seed) {
  const RandomStream stream(seed, Purpose::modulator);
  std::vector<Complex> x(n);
  for (size_t i = 0; i < n; ++i) {
    const UniformPair u = stream.uniforms(i);
    x[i] = {u.a - 0.5, u.b - 0.5};
  }
  return x;
}

TEST(Fft, AgreesWithTheDirectTransform) {
  for (size_t n = 1; n <= 512; n *= 2) {
    const std::vector<Complex> x = noise(n, n);
    std::vector<Complex> fast = x;
    Fft(n).forward(fast);
    for (size_t k = 0; k < n; ++k) {
      std::complex<long double> sum = 0;
      for (size_t t = 0; t < n; ++t) {
        const long double angle = -2 * 3.14159265358979323846264L * static_cast<long double>(k * t % n) /
                                  static_cast<long double>(n);
        sum += std::complex<long double>(x[t].re, x[t].im) * std::polar(1.0L, angle);
      }
      ASSERT_NEAR(fast[k].re, static_cast<double>(sum.real()), 2e-14) << n << " " << k;
      ASSERT_NEAR(fast[k].im, static_cast<double>(sum.imag()), 2e-14) << n << " " << k;
    }
  }
}

TEST(Fft, InverseUndoesForward) {
  const std::vector<Complex> x = noise(1 << 16, 1);
  std::vector<Complex> y = x;
  const Fft fft(y.size());
  fft.forward(y);
  fft.inverse(y);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(y[i].re, x[i].re, 1e-15);
    ASSERT_NEAR(y[i].im, x[i].im, 1e-15);
  }
}

TEST(Fft, KeepsEnergyAtAMillionPoints) {
  std::vector<Complex> x = noise(1 << 20, 2);
  const auto energy = [&] {
    long double sum = 0;
    for (const Complex& c : x)
      sum += static_cast<long double>(c.re) * c.re + static_cast<long double>(c.im) * c.im;
    return sum;
  };
  const long double before = energy();
  Fft(x.size()).forward(x);
  EXPECT_NEAR(static_cast<double>(energy() / before / (1 << 20)), 1, 1e-14);
}

TEST(Fft, OfAToneIsOneLine) {
  const size_t n = 4096;
  std::vector<Complex> x(n);
  for (size_t t = 0; t < n; ++t) {
    const double angle =
        2 * 3.14159265358979323846 * static_cast<double>(37 * t % n) / static_cast<double>(n);
    x[t] = {std::cos(angle), std::sin(angle)};
  }
  Fft(n).forward(x);
  for (size_t k = 0; k < n; ++k) {
    ASSERT_NEAR(x[k].re, k == 37 ? 4096 : 0, 1e-11) << k;
    ASSERT_NEAR(x[k].im, 0, 1e-11) << k;
  }
}

TEST(Fft, RefusesOtherSizes) {
  EXPECT_THROW(Fft(0), std::invalid_argument);
  EXPECT_THROW(Fft(3), std::invalid_argument);
  EXPECT_THROW(Fft(size_t{1} << 24), std::invalid_argument);
}

}  // namespace
}  // namespace mlq::stats
