// Compensated summation.
#pragma once

#include <cmath>

namespace mlq::stats {

// Sum of doubles with an error of a few ulp whatever their number (Neumaier 1974).
class Sum {
 public:
  Sum& operator+=(double x) {
    const double next = sum_ + x;
    carry_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - next) + x : (x - next) + sum_;
    sum_ = next;
    return *this;
  }
  double value() const { return sum_ + carry_; }

 private:
  double sum_ = 0;
  double carry_ = 0;
};

}  // namespace mlq::stats
