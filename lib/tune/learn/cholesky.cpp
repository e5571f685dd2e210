#include "lib/tune/learn/cholesky.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/base/cpu_avx2.h"
#include "lib/base/fmath.h"
#include "lib/base/fmath_inline.h"

namespace mlq::tune {
namespace {

constexpr size_t kTile = Cholesky::kTile;

// Four doubles that the compiler keeps in a register, or in two: what is computed of each does not depend on
// it.
using Pack = double __attribute__((vector_size(32)));
constexpr size_t kPacks = kTile / 4;
static_assert(kPacks == 4);

// By memcpy: the rows are aligned as doubles only.
MLQ_ALWAYS_INLINE void load(const double* from, Pack& to) { std::memcpy(&to, from, sizeof to); }
MLQ_ALWAYS_INLINE void store(double* to, const Pack& from) { std::memcpy(to, &from, sizeof from); }

// to -= sum over k < terms of factors[k] * from[k * stride + 0 .. kTile). The sums stay in registers.
MLQ_ALWAYS_INLINE void subtract_rows(double* to, const double* factors, const double* from, size_t stride,
                                     size_t terms) {
  Pack s0, s1, s2, s3, r0, r1, r2, r3;
  load(to, s0), load(to + 4, s1), load(to + 8, s2), load(to + 12, s3);
  for (size_t k = 0; k < terms; ++k) {
    const double f = factors[k];
    const double* row = from + k * stride;
    load(row, r0), load(row + 4, r1), load(row + 8, r2), load(row + 12, r3);
    s0 -= f * r0;
    s1 -= f * r1;
    s2 -= f * r2;
    s3 -= f * r3;
  }
  store(to, s0), store(to + 4, s1), store(to + 8, s2), store(to + 12, s3);
}

// Row i of U but for the division: what the rows above leave of it.
struct ReduceRow {
  static MLQ_ALWAYS_INLINE void run(double* upper, const double* lower_row, size_t stride, size_t i,
                                    size_t n) {
    // From the tile that holds column i on; columns before i are not read again.
    for (size_t j = i / kTile * kTile; j < n; j += kTile)
      subtract_rows(upper + i * stride + j, lower_row, upper + j, stride, i);
  }
};

struct ForwardTile {
  static MLQ_ALWAYS_INLINE void run(const double* lower, const double* inverse, size_t stride, size_t n,
                                    double* b) {
    for (size_t i = 0; i < n; ++i) {
      double* row = b + i * kTile;
      subtract_rows(row, lower + i * stride, b, kTile, i);
      for (size_t c = 0; c < kTile; ++c) row[c] *= inverse[i];
    }
  }
};

struct Axpy {
  static MLQ_ALWAYS_INLINE void run(double* to, double factor, const double* from, size_t begin, size_t end) {
    for (size_t j = begin; j < end; ++j) to[j] -= factor * from[j];
  }
};

template <class Loop, class... Args>
MLQ_TARGET_AVX2 void run_avx2(Args... args) {
  Loop::run(args...);
}

template <class Loop, class... Args>
void run(Args... args) {
  if (cpu_has_avx2()) {
    run_avx2<Loop>(args...);
  } else {
    Loop::run(args...);
  }
}

}  // namespace

void Cholesky::resize(size_t capacity) {
  n_ = 0;
  capacity_ = capacity;
  stride_ = (capacity + kTile - 1) / kTile * kTile;
  upper_.assign(capacity * stride_, 0.0);
  lower_.assign(capacity * stride_, 0.0);
  inverse_.assign(capacity, 0.0);
}

// Row i of U stands undivided in upper_; `diagonal` is its first entry.
void Cholesky::keep_row(size_t i, double diagonal) { inverse_[i] = 1.0 / std::sqrt(diagonal); }

bool Cholesky::factor(size_t n) {
  n_ = 0;
  for (size_t i = 0; i < n; ++i) {
    double* u = row(i);
    run<ReduceRow>(upper_.data(), lower_.data() + i * stride_, stride_, i, n);
    if (!(u[i] > 0) || !std::isfinite(u[i])) return false;
    keep_row(i, u[i]);
    for (size_t j = i; j < n; ++j) {
      u[j] *= inverse_[i];
      lower_[j * stride_ + i] = u[j];
    }
  }
  n_ = n;
  return true;
}

bool Cholesky::append(const double* a) {
  double* l = lower_.data() + n_ * stride_;
  std::copy_n(a, n_, l);
  forward(l);
  double diagonal = a[n_];
  for (size_t k = 0; k < n_; ++k) diagonal -= l[k] * l[k];
  if (!(diagonal > 0) || !std::isfinite(diagonal)) return false;
  keep_row(n_, diagonal);
  l[n_] = diagonal * inverse_[n_];
  for (size_t k = 0; k <= n_; ++k) upper_[k * stride_ + n_] = l[k];
  ++n_;
  return true;
}

double Cholesky::log_det() const {
  double sum = 0;
  for (size_t i = 0; i < n_; ++i) sum -= fmath::log(inverse_[i]);
  return sum;
}

void Cholesky::forward(double* b) const {
  for (size_t k = 0; k < n_; ++k) {
    b[k] *= inverse_[k];
    run<Axpy>(b, b[k], upper_.data() + k * stride_, k + 1, n_);
  }
}

void Cholesky::backward(double* b) const {
  for (size_t k = n_; k-- > 0;) {
    b[k] *= inverse_[k];
    run<Axpy>(b, b[k], lower_.data() + k * stride_, size_t{0}, k);
  }
}

void Cholesky::forward_tile(double* b) const {
  run<ForwardTile>(lower_.data(), inverse_.data(), stride_, n_, b);
}

std::vector<double> Cholesky::inverse_diagonal() const {
  std::vector<double> out(n_, 0.0), tile(n_ * kTile);
  for (size_t begin = 0; begin < n_; begin += kTile) {
    std::fill(tile.begin(), tile.end(), 0.0);
    const size_t width = std::min(kTile, n_ - begin);
    for (size_t c = 0; c < width; ++c) tile[(begin + c) * kTile + c] = 1.0;
    forward_tile(tile.data());
    for (size_t i = begin; i < n_; ++i)
      for (size_t c = 0; c < width; ++c) out[begin + c] += tile[i * kTile + c] * tile[i * kTile + c];
  }
  return out;
}

}  // namespace mlq::tune
