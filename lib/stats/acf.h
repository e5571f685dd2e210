// Autocorrelation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlq::stats {

// r_0 .. r_max_lag of a series, with the usual (biased, positive definite) estimator c_k / c_0, c_k = (1/n)
// sum over t of (x_t - mean)(x_(t+k) - mean). Lags >= n give 0; a series without spread gives NaN throughout.
// Long series with many lags go through the FFT (error about 1e-14), others are summed directly.
std::vector<double> autocorrelation(std::span<const double> x, size_t max_lag);

// 1.96 / sqrt(n): the 95% bound of r_k of independent values. NaN for n = 0.
double autocorrelation_bound(uint64_t n);

// The same estimator for a stream too long to keep, up to a few dozen lags: O(max_lag) memory and time a
// value. The values are taken relative to the first, and the end corrections are exact. Not thread-safe.
class StreamingAutocorrelation {
 public:
  explicit StreamingAutocorrelation(size_t max_lag = 50);
  void add(double x);
  uint64_t count() const { return count_; }
  std::vector<double> result() const;  // r_0 .. r_max_lag

 private:
  size_t max_lag_;
  uint64_t count_ = 0;
  double origin_ = 0;
  double sum_ = 0;
  std::vector<double> products_;  // sum of x_t x_(t-k)
  std::vector<double> head_;      // the first max_lag values
  std::vector<double> recent_;    // the last max_lag values, newest first
};

}  // namespace mlq::stats
