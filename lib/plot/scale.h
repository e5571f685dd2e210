// Numbers and units as people read them on an axis. Pure functions, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "lib/plot/picture.h"

namespace mlq::plot {

// mantissa * 10^exponent, correctly rounded, which a product of doubles is not.
double decimal(int mantissa, int exponent);
// The exponent of the largest power of ten that is not above the value, from -300 to 300.
int decade_of(double value);

// What a linear axis shows: values times `factor`, in `unit` (empty where there is none; of numbers a word).
struct Unit {
  double factor = 1;
  std::string unit;
};
// The unit in which `largest` has one to three digits before the point: ns to days, B to TB, or %; of numbers
// up to five: then thousands to trillions.
Unit unit_for(Quantity quantity, double largest);

// Marks of a logarithmic axis over [from, to], 0 < from <= to, and its ends: the powers of ten in it, or 1,
// 2, 5 times them where there are fewer than three.
struct LogTicks {
  double from = 1;
  double to = 10;
  std::vector<double> at;
};
LogTicks log_ticks(double from, double to);
// Of an axis of percentiles down to the share `from`: the smallest value, p50, p90, p99, p99.9 ... It reaches
// to p90 at least.
LogTicks percentile_ticks(double from);

// `10ms`, `4kB`, `0.1%`, `2k`, `p99.9`; `min` is the percentile of all values.
std::string tick_text(Quantity quantity, double value);

}  // namespace mlq::plot
