// A Gaussian process over points and workload levels:
//   k((s,x),(s',x')) = v^2 M(rho) q(s,s') + b^2 [s = s'],
//   M(rho) = (1 + sqrt5 rho + 5/3 rho^2) exp(-sqrt5 rho)       Matern-5/2 (Rasmussen & Williams 2006, 4.17)
//   rho^2 = sum over columns of weight ((x_a - x'_a) / l_a)^2,
//   q = carry^(|log2 (rate / rate')| + [another cv class]), 1 for s = s';
// noise v_n^2 plus a variance of each row's own. Targets are expected to be standardised. All arithmetic
// gives the same bits on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/tune/draws.h"
#include "lib/tune/learn/cholesky.h"
#include "lib/tune/learn/features.h"
#include "lib/tune/learn/history.h"

namespace mlq::tune {

struct GpHyper {
  std::vector<double> ln_l;      // of each axis that has columns
  double ln_v = 0;               // signal
  double ln_noise = -1.6094379;  // ln 0.2
  double ln_b = -0.5;            // shift of a level
  double carry = 0.5;            // how far the shape carries to a level of half or double the rate
};

// What a process is conditioned on.
struct GpRows {
  std::vector<double> x;        // row-major, a point's columns after another's
  std::vector<LevelId> level;   // one a row
  std::vector<double> own_var;  // variance of each row's target besides v_n^2
  std::vector<double> y;
  size_t size() const { return y.size(); }
};

struct Posterior {
  double mean = 0, sd = 0;
};

// Not thread-safe. `features` must outlive it.
class Gp {
 public:
  static constexpr int kDraws = 40;

  explicit Gp(const Features& features);

  // Maximum a posteriori over kDraws draws: the present values are the first, even draws come from the prior
  // (ln l ~ N(ln 0.4, 0.8^2), ln v ~ N(0, 0.7^2), ln v_n ~ N(ln 0.2, 0.9^2), ln b ~ N(-0.5, 1),
  // carry ~ U(0, 1)), odd ones from around the best so far. Conditions on the rows.
  void fit(const GpRows& rows, std::span<const Level> levels, Draws& draws);
  // Conditions on the rows with the present values. If they begin with the rows of the last call (targets may
  // differ), the factor grows by the new ones.
  void condition(const GpRows& rows, std::span<const Level> levels);
  // Other targets for the same rows.
  void retarget(std::span<const double> y);

  const GpHyper& hyper() const { return hyper_; }
  void set_hyper(GpHyper hyper);
  size_t size() const { return factor_.size(); }
  double noise_variance() const { return noise_var_; }
  // Of the rows conditioned on.
  double log_marginal_likelihood() const;

  // Of the noiseless value at points of a level; `mean` and `variance` have a number a point.
  void predict(std::span<const PointId> points, LevelId level, std::span<double> mean,
               std::span<double> variance) const;
  Posterior predict(PointId point, LevelId level) const;
  // The mean alone, of points given by their columns; cheaper.
  double mean_at(std::span<const double> x, LevelId level) const;
  // Posterior of the value at row k.
  Posterior at_row(size_t k) const;
  // y_k minus what the others say of row k, for each k (Rasmussen & Williams 5.12).
  std::vector<double> leave_one_out() const;

 private:
  void scale_rows(const GpHyper& hyper);
  void set_levels(std::span<const Level> levels, const GpHyper& hyper);
  bool factorise();
  bool grow();
  double noise_of(size_t k) const;
  void covariances(const double* x, LevelId level, size_t begin, size_t end, double* out) const;
  double log_prior(const GpHyper& hyper) const;
  double likelihood(std::span<const double> y);
  GpHyper from_prior(Draws& draws) const;
  GpHyper around(const GpHyper& best, Draws& draws) const;

  const Features* features_;
  GpHyper hyper_;
  std::vector<double> scale_;  // of each column: sqrt(weight) / l
  double signal_var_ = 1, level_var_ = 0, noise_var_ = 0, jitter_ = 0;
  size_t levels_ = 0;
  std::vector<double> share_;  // q, levels x levels
  size_t stride_ = 0;
  std::vector<double> scaled_;  // column-major, stride_ numbers a column
  GpRows rows_;                 // conditioned on
  Cholesky factor_;
  std::vector<double> z_, alpha_;  // L^-1 y, K^-1 y
};

}  // namespace mlq::tune
