#include "lib/tune/learn/mlp_kernels.h"

#include <cmath>

#include "lib/base/cpu_avx2.h"
#include "lib/base/fmath_inline.h"

namespace mlq::tune {
namespace {

// 32 bytes of numbers: one register of AVX2, two of the baseline. GCC does not find them by itself in a loop
// over sums that should stay in registers.
template <class Real>
struct Lanes {
  typedef Real Vector __attribute__((vector_size(32)));
  static constexpr size_t size = 32 / sizeof(Real);
};

template <class Real>
MLQ_ALWAYS_INLINE void load(const Real* from, typename Lanes<Real>::Vector& v) {
  __builtin_memcpy(&v, from, sizeof v);
}
template <class Real>
MLQ_ALWAYS_INLINE void store(const typename Lanes<Real>::Vector& v, Real* to) {
  __builtin_memcpy(to, &v, sizeof v);
}

// So many rows of c at a time, whose sums stay in registers.
template <class Real, size_t kRows>
MLQ_ALWAYS_INLINE void multiply_rows(MatrixView<Real> a, const Real* b, size_t b_step, Real* c, size_t c_step,
                                     size_t inner, size_t columns) {
  using Vector = typename Lanes<Real>::Vector;
  constexpr size_t half = Lanes<Real>::size;
  for (size_t j = 0; j < columns; j += 2 * half) {
    Vector low[kRows], high[kRows];
    for (size_t r = 0; r < kRows; ++r) {
      load<Real>(c + r * c_step + j, low[r]);
      load<Real>(c + r * c_step + j + half, high[r]);
    }
    for (size_t k = 0; k < inner; ++k) {
      Vector b_low, b_high;
      load<Real>(b + k * b_step + j, b_low);
      load<Real>(b + k * b_step + j + half, b_high);
      for (size_t r = 0; r < kRows; ++r) {
        const Real x = a.data[r * a.row_step + k * a.column_step];
        low[r] += x * b_low;
        high[r] += x * b_high;
      }
    }
    for (size_t r = 0; r < kRows; ++r) {
      store<Real>(low[r], c + r * c_step + j);
      store<Real>(high[r], c + r * c_step + j + half);
    }
  }
}

template <class Real>
MLQ_ALWAYS_INLINE void multiply_add_core(MatrixView<Real> a, const Real* b, size_t b_step, Real* c,
                                         size_t c_step, size_t rows, size_t inner, size_t columns) {
  constexpr size_t kAtOnce = 4;
  size_t m = 0;
  for (; m + kAtOnce <= rows; m += kAtOnce) {
    multiply_rows<Real, kAtOnce>(a, b, b_step, c + m * c_step, c_step, inner, columns);
    a.data += kAtOnce * a.row_step;
  }
  for (; m < rows; ++m) {
    multiply_rows<Real, 1>(a, b, b_step, c + m * c_step, c_step, inner, columns);
    a.data += a.row_step;
  }
}

template <class Real>
MLQ_ALWAYS_INLINE void ftrl_core(Real* __restrict w, const Real* __restrict g, Real* __restrict z,
                                 Real* __restrict n, size_t size, Real rate) {
  const Real by_rate = 1 / rate;
  for (size_t k = 0; k < size; ++k) {
    const Real more = n[k] + g[k] * g[k];
    const Real after = std::sqrt(more);
    z[k] += g[k] - (after - std::sqrt(n[k])) * by_rate * w[k];
    w[k] = -rate * z[k] / after;
    n[k] = more;
  }
}

template <class Real>
MLQ_ALWAYS_INLINE void rmsprop_core(Real* __restrict w, const Real* __restrict g, Real* __restrict m,
                                    size_t size, Real rate) {
  constexpr Real kDecay = static_cast<Real>(0.9), kTiny = static_cast<Real>(1e-10);
  for (size_t k = 0; k < size; ++k) {
    m[k] = kDecay * m[k] + (1 - kDecay) * (g[k] * g[k]);
    w[k] -= rate * g[k] / std::sqrt(m[k] + kTiny);
  }
}

template <class Real>
MLQ_ALWAYS_INLINE void mix_core(Real* __restrict to, const Real* __restrict from, size_t size, Real share) {
  for (size_t k = 0; k < size; ++k) to[k] += share * (from[k] - to[k]);
}

template <class Real>
MLQ_TARGET_AVX2 void multiply_add_avx2(MatrixView<Real> a, const Real* b, size_t b_step, Real* c,
                                       size_t c_step, size_t rows, size_t inner, size_t columns) {
  multiply_add_core(a, b, b_step, c, c_step, rows, inner, columns);
}
template <class Real>
MLQ_TARGET_AVX2 void ftrl_avx2(Real* w, const Real* g, Real* z, Real* n, size_t size, Real rate) {
  ftrl_core(w, g, z, n, size, rate);
}
template <class Real>
MLQ_TARGET_AVX2 void rmsprop_avx2(Real* w, const Real* g, Real* m, size_t size, Real rate) {
  rmsprop_core(w, g, m, size, rate);
}
template <class Real>
MLQ_TARGET_AVX2 void mix_avx2(Real* to, const Real* from, size_t size, Real share) {
  mix_core(to, from, size, share);
}

}  // namespace

template <class Real>
void multiply_add(MatrixView<Real> a, const Real* b, size_t b_step, Real* c, size_t c_step, size_t rows,
                  size_t inner, size_t columns) {
  if (cpu_has_avx2()) return multiply_add_avx2(a, b, b_step, c, c_step, rows, inner, columns);
  multiply_add_core(a, b, b_step, c, c_step, rows, inner, columns);
}

template <class Real>
void ftrl_step(Real* w, const Real* g, Real* z, Real* n, size_t size, Real rate) {
  if (cpu_has_avx2()) return ftrl_avx2(w, g, z, n, size, rate);
  ftrl_core(w, g, z, n, size, rate);
}

template <class Real>
void rmsprop_step(Real* w, const Real* g, Real* m, size_t size, Real rate) {
  if (cpu_has_avx2()) return rmsprop_avx2(w, g, m, size, rate);
  rmsprop_core(w, g, m, size, rate);
}

template <class Real>
void mix(Real* to, const Real* from, size_t size, Real share) {
  if (cpu_has_avx2()) return mix_avx2(to, from, size, share);
  mix_core(to, from, size, share);
}

template void multiply_add(MatrixView<float>, const float*, size_t, float*, size_t, size_t, size_t, size_t);
template void multiply_add(MatrixView<double>, const double*, size_t, double*, size_t, size_t, size_t,
                           size_t);
template void ftrl_step(float*, const float*, float*, float*, size_t, float);
template void ftrl_step(double*, const double*, double*, double*, size_t, double);
template void rmsprop_step(float*, const float*, float*, size_t, float);
template void rmsprop_step(double*, const double*, double*, size_t, double);
template void mix(float*, const float*, size_t, float);
template void mix(double*, const double*, size_t, double);

}  // namespace mlq::tune
