// What the sources of gof.h share.
#pragma once

#include <limits>
#include <span>

#include "lib/stats/gof.h"
#include "lib/stats/sum.h"

namespace mlq::stats::detail {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

inline TestResult no_verdict(double statistic, uint64_t n) { return {statistic, kNaN, 0, n, kNaN}; }

inline double mean_of(std::span<const double> values) {
  Sum sum;
  for (const double x : values) sum += x;
  return sum.value() / static_cast<double>(values.size());
}

}  // namespace mlq::stats::detail
