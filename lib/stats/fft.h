// The discrete Fourier transform of complex doubles, sizes 1, 2, 4 ... 2^23, with the same bits on every
// machine.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace mlq::stats {

// A plan for one size: radix-2 decimation in time (Cooley and Tukey 1965), depth first so that small parts
// stay in cache. Twiddles come from fmath::sin and cos of angles in the first octant, so they are good to an
// ulp; the error of a transform grows like sqrt(log2 n) ulp. Holds 16 bytes a point. Immutable: threads may
// share a plan, each with its own data.
//
// Real and imaginary parts are apart. Interleaved, GCC 12 turns the butterfly into vfmaddsub where the CPU
// has it, even under -ffp-contract=off, and the bits change with the machine; apart, it also runs faster.
class Fft {
 public:
  static constexpr size_t kMaxSize = size_t{1} << 23;

  explicit Fft(size_t n);  // a power of two up to kMaxSize; std::invalid_argument otherwise
  size_t size() const { return n_; }

  // X_k = sum_t x_t exp(-2 pi i k t / n), in place; re.size() == im.size() == size().
  void forward(std::span<double> re, std::span<double> im) const;
  // x_t = (1/n) sum_k X_k exp(+2 pi i k t / n), in place.
  void inverse(std::span<double> re, std::span<double> im) const;

 private:
  void transform(double* re, double* im, size_t n) const;

  size_t n_;
  // exp(-2 pi i k / m), k < m/2, at [m/2 + k] for every length m of the recursion.
  std::vector<double> cos_, minus_sin_;
};

}  // namespace mlq::stats
