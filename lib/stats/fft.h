// The discrete Fourier transform of complex doubles, sizes 1, 2, 4 ... 2^23, with the same bits on every
// machine.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace mlq::stats {

struct Complex {
  double re = 0, im = 0;
};

// A plan for one size: radix-2 decimation in time (Cooley and Tukey 1965), depth first so that small parts
// stay in cache. Twiddles come from fmath::sin and cos of angles in the first octant, so they are good to an
// ulp; the error of a transform grows like sqrt(log2 n) ulp. Holds 16 bytes a point. Immutable: threads may
// share a plan, each with its own data.
class Fft {
 public:
  static constexpr size_t kMaxSize = size_t{1} << 23;

  explicit Fft(size_t n);  // a power of two up to kMaxSize; std::invalid_argument otherwise
  size_t size() const { return n_; }

  // X_k = sum_t x_t exp(-2 pi i k t / n), in place; x.size() == size().
  void forward(std::span<Complex> x) const;
  // x_t = (1/n) sum_k X_k exp(+2 pi i k t / n), in place.
  void inverse(std::span<Complex> x) const;

 private:
  void transform(Complex* x, size_t n) const;

  size_t n_;
  std::vector<Complex>
      twiddles_;  // of length n at [n/2, n), for every n of the recursion: exp(-2 pi i k / n), k < n/2
};

}  // namespace mlq::stats
