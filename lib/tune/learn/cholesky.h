// The Cholesky factor of a covariance matrix of a few hundred rows that grows by rows: A = L L^T = U^T U.
// Plain loops over rows of U, each sum in the order of its terms, so that neither the width of the machine's
// vectors nor the way the factor came about (at once, or row by row) changes a bit.
#pragma once

#include <cstddef>
#include <vector>

namespace mlq::tune {

// Not thread-safe. Use: resize(), fill row(0) ... row(n - 1), factor(n); then append() and solve.
class Cholesky {
 public:
  // Columns solved together by forward_tile().
  static constexpr size_t kTile = 16;

  // Room for matrices of up to `capacity` rows. Forgets what was there.
  void resize(size_t capacity);
  size_t capacity() const { return capacity_; }
  size_t size() const { return n_; }

  // Row i of the matrix to be factored; entries i .. n-1 are read.
  double* row(size_t i) { return upper_.data() + i * stride_; }
  // Replaces the matrix by its factor. False if it is not positive definite; the factor is then empty.
  bool factor(size_t n);
  // Adds row size() of the matrix, of size() + 1 entries. False if that makes it not positive definite; the
  // factor stays as it was. Needs room.
  bool append(const double* a);

  // ln det L.
  double log_det() const;
  // b <- L^-1 b, b <- L^-T b, of size() entries.
  void forward(double* b) const;
  void backward(double* b) const;
  // B <- L^-1 B, B of size() rows and kTile columns, row-major.
  void forward_tile(double* b) const;
  // Entry (k, k) of (L L^T)^-1 for each k.
  std::vector<double> inverse_diagonal() const;

 private:
  void keep_row(size_t i, double diagonal);

  size_t n_ = 0, capacity_ = 0, stride_ = 0;
  std::vector<double> upper_;    // U, row-major
  std::vector<double> lower_;    // L, row-major
  std::vector<double> inverse_;  // 1 / L_ii
};

}  // namespace mlq::tune
