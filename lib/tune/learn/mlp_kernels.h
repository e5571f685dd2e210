// The loops of small networks, as vector code: no FMA and a fixed order of every sum, so the same bits on
// any machine. Real is float or double. Thread-safe, never fail.
#pragma once

#include <cstddef>
#include <vector>

namespace mlq::tune {

// So many numbers are taken at once: rows of matrices are as long as a multiple of it.
template <class Real>
inline constexpr size_t mlp_lane = 64 / sizeof(Real);
template <class Real>
constexpr size_t mlp_padded(size_t n) {
  return (n + mlp_lane<Real> - 1) / mlp_lane<Real> * mlp_lane<Real>;
}

// A matrix that is read with any steps between its elements: itself, or its transpose.
template <class Real>
struct MatrixView {
  const Real* data;
  size_t row_step, column_step;
};

// c[m][j] += sum over k of a(m, k) b[k][j], in the order of k; m < rows, k < inner, j < columns (padded). The
// rows of b and c are b_step and c_step apart.
template <class Real>
void multiply_add(MatrixView<Real> a, const Real* b, size_t b_step, Real* c, size_t c_step, size_t rows,
                  size_t inner, size_t columns);

// Follow the regularized leader with l1 = l2 = 0 (McMahan et al., KDD'13): n' = n + g^2,
// z' = z + g - (sqrt(n') - sqrt(n)) w / rate, w' = -rate z' / sqrt(n').
template <class Real>
void ftrl_step(Real* w, const Real* g, Real* z, Real* n, size_t size, Real rate);

// m' = 0.9 m + 0.1 g^2, w' = w - rate g / sqrt(m' + 1e-10) (Tieleman and Hinton 2012).
template <class Real>
void rmsprop_step(Real* w, const Real* g, Real* m, size_t size, Real rate);

// to += share (from - to).
template <class Real>
void mix(Real* to, const Real* from, size_t size, Real share);

}  // namespace mlq::tune
