// Numbers and units as people read them on an axis. Pure functions, thread-safe.
#pragma once

#include <string>
#include <vector>

#include "lib/plot/picture.h"

namespace mlq::plot {

// What a linear axis shows: values times `factor`, in `unit` (empty where there is none).
struct Unit {
  double factor = 1;
  std::string unit;
};
// The unit in which `largest` has one to three digits before the point: ns to days, or %.
Unit unit_for(Quantity quantity, double largest);

// Marks of a logarithmic axis over [from, to], 0 < from <= to, and its ends: the powers of ten in it, or 1,
// 2, 5 times them where there are fewer than three.
struct LogTicks {
  double from = 1;
  double to = 10;
  std::vector<double> at;
};
LogTicks log_ticks(double from, double to);

// `10ms`, `0.1%`, `2k`.
std::string tick_text(Quantity quantity, double value);

}  // namespace mlq::plot
