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

struct Signal {
  std::vector<double> re, im;
};

Signal noise(size_t n, uint64_t seed) {
  const RandomStream stream(seed, Purpose::modulator);
  Signal x{std::vector<double>(n), std::vector<double>(n)};
  for (size_t i = 0; i < n; ++i) {
    const UniformPair u = stream.uniforms(i);
    x.re[i] = u.a - 0.5;
    x.im[i] = u.b - 0.5;
  }
  return x;
}

TEST(Fft, AgreesWithTheDirectTransform) {
  for (size_t n = 1; n <= 512; n *= 2) {
    const Signal x = noise(n, n);
    Signal fast = x;
    Fft(n).forward(fast.re, fast.im);
    for (size_t k = 0; k < n; ++k) {
      std::complex<long double> sum = 0;
      for (size_t t = 0; t < n; ++t) {
        const long double angle = -2 * 3.14159265358979323846264L * static_cast<long double>(k * t % n) /
                                  static_cast<long double>(n);
        sum += std::complex<long double>(x.re[t], x.im[t]) * std::polar(1.0L, angle);
      }
      ASSERT_NEAR(fast.re[k], static_cast<double>(sum.real()), 2e-14) << n << " " << k;
      ASSERT_NEAR(fast.im[k], static_cast<double>(sum.imag()), 2e-14) << n << " " << k;
    }
  }
}

TEST(Fft, InverseUndoesForward) {
  const Signal x = noise(1 << 16, 1);
  Signal y = x;
  const Fft fft(y.re.size());
  fft.forward(y.re, y.im);
  fft.inverse(y.re, y.im);
  for (size_t i = 0; i < x.re.size(); ++i) {
    ASSERT_NEAR(y.re[i], x.re[i], 1e-15);
    ASSERT_NEAR(y.im[i], x.im[i], 1e-15);
  }
}

TEST(Fft, KeepsEnergyAtAMillionPoints) {
  Signal x = noise(1 << 20, 2);
  const auto energy = [&] {
    long double sum = 0;
    for (const double v : x.re) sum += static_cast<long double>(v) * v;
    for (const double v : x.im) sum += static_cast<long double>(v) * v;
    return sum;
  };
  const long double before = energy();
  Fft(x.re.size()).forward(x.re, x.im);
  EXPECT_NEAR(static_cast<double>(energy() / before / (1 << 20)), 1, 1e-14);
}

TEST(Fft, OfAToneIsOneLine) {
  const size_t n = 4096;
  Signal x = noise(n, 3);
  for (size_t t = 0; t < n; ++t) {
    const double angle =
        2 * 3.14159265358979323846 * static_cast<double>(37 * t % n) / static_cast<double>(n);
    x.re[t] = std::cos(angle);
    x.im[t] = std::sin(angle);
  }
  Fft(n).forward(x.re, x.im);
  for (size_t k = 0; k < n; ++k) {
    ASSERT_NEAR(x.re[k], k == 37 ? 4096 : 0, 1e-11) << k;
    ASSERT_NEAR(x.im[k], 0, 1e-11) << k;
  }
}

TEST(Fft, RefusesOtherSizes) {
  EXPECT_THROW(Fft(0), std::invalid_argument);
  EXPECT_THROW(Fft(3), std::invalid_argument);
  EXPECT_THROW(Fft(size_t{1} << 24), std::invalid_argument);
}

}  // namespace
}  // namespace mlq::stats
