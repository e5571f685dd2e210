// What the estimators of hurst.h share.
#pragma once

#include <algorithm>
#include <limits>
#include <span>

#include "lib/stats/hurst.h"
#include "lib/stats/sum.h"

namespace mlq::stats::detail {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr HurstEstimate kNoHurst{kNaN, kNaN, kNaN};

inline bool can_estimate_hurst(std::span<const double> x) {
  return x.size() >= kHurstMinimum && std::any_of(x.begin(), x.end(), [&](double v) { return v != x[0]; });
}

// Weighted least squares of y on x, point by point.
class Regression {
 public:
  void add(double x, double y, double weight = 1) {
    w_ += weight;
    x_ += weight * x;
    y_ += weight * y;
    xx_ += weight * x * x;
    xy_ += weight * x * y;
  }
  double slope() const { return (w_ * xy_ - x_ * y_) / determinant(); }
  // Of the slope, when the weights are the reciprocal variances of y.
  double slope_variance() const { return w_ / determinant(); }

 private:
  double determinant() const { return w_ * xx_ - x_ * x_; }
  double w_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;
};

}  // namespace mlq::stats::detail
