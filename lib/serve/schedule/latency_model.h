// How long a batch of n rows takes in one replica, learnt from the batches it answered.
//
// Sizes lie on a grid: 1 2 3 4 5 6 8 10 13 16 20 25 32 and on by about 1.25. Each grid size has a decayed
// mean m_k and count c_k (half-life 128 of its own batches, 2,048 of all); a line alpha n + beta, alpha and
// beta >= 0, is fitted to all by decayed least squares; m(n) = (c_k m_k + 4 (alpha n + beta)) / (c_k + 4),
// made non-decreasing in n by pool adjacent violators (Ayer et al., Annals of Mathematical Statistics 26,
// 1955), linear between grid sizes. R_q is the q-quantile of l / m(n) over the last 512 batches, without
// those above 4 unless they are half of all, but never the largest alone; l_q(n) = R_q m(n); T(n) = n / m(n).
// Drift: two-sided Page-Hinkley (Page, Biometrika 41, 1954) on clip((l - m_k) / m_k, -1, 1), delta 0.05,
// threshold 5; an alarm keeps the last 8 batches and the shape of the line, and drops the rest. Sizes seen
// less than 4 times do not count for it. Of a hiccup no more than 4 times the expected is learnt. Times in
// nanoseconds as doubles. A value type; not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mlq::serve {

// What is worth keeping of a model over a restart.
struct LatencyState {
  double alpha_ns_per_row = 0, beta_ns = 0;
  uint32_t largest_rows = 0;                       // the largest size measured; 0: nothing was
  std::vector<std::pair<uint32_t, double>> means;  // grid size, mean in ns
};

class LatencyModel {
 public:
  LatencyModel();

  // A clean batch of `rows` >= 1 took `latency_ns` > 0. True: this was the alarm of a drift.
  bool observe(uint32_t rows, double latency_ns);

  bool empty() const { return batches_ == 0 && largest_ == 0; }
  uint64_t batches() const { return batches_; }  // in all
  uint64_t batches_since_drift() const { return batches_ - drift_batch_; }
  uint64_t drifts() const { return drifts_; }

  double mean_ns(double rows) const;                // m(n); 0 while empty
  double ratio(double q) const;                     // R_q; 1 while empty
  double quantile_ns(double rows, double q) const;  // l_q(n)
  double rows_per_ns(double rows) const;            // T(n)
  double alpha() const { return alpha_; }
  double beta() const { return beta_; }
  uint32_t largest_rows() const { return largest_; }  // since the last drift, or restored
  double count(uint32_t rows) const;                  // c_k of the nearest grid size

  LatencyState save() const;
  void restore(const LatencyState& state);

  // The grid.
  static constexpr size_t kSizes = 37;
  static uint32_t grid_size(size_t k);   // k < kSizes
  static size_t nearest(uint32_t rows);  // the k whose size is nearest in ratio
  static constexpr size_t kWindow = 512;
  struct Sample {
    float rows;
    float latency_ns;
  };

 private:
  double measured_ns(uint32_t rows) const;
  void learn(uint32_t rows, double latency_ns);
  void fit_line();
  void rebuild();
  void refresh_ratio(double q) const;
  void forget_all_but_last(size_t keep);

  std::array<double, kSizes> sum_{}, count_{}, mean_{};  // decayed sum and count; m at the grid
  double w_ = 0, wn_ = 0, wnn_ = 0, wl_ = 0, wnl_ = 0;   // decayed sums of the line
  double alpha_ = 0, beta_ = 0;
  uint32_t largest_ = 0;
  uint64_t batches_ = 0, drift_batch_ = 0, drifts_ = 0;
  double up_ = 0, down_ = 0;    // Page-Hinkley
  std::vector<Sample> window_;  // ring of the last kWindow
  size_t next_ = 0;
  mutable double ratio_q_ = -1, ratio_ = 1;  // cached R_q
  mutable uint64_t ratio_batch_ = 0;
};

}  // namespace mlq::serve
