// The interval of a ratio of two means: Fieller's.
#pragma once

#include "lib/simigrad/estimate/smoothing.h"

namespace mlq::simigrad {

struct RatioInterval {
  double lo = 0;  // NaN if no ratio >= 0 is in accord with the data
  double hi = 0;  // infinity if the data sets no upper limit; NaN with lo
};

// All R >= 0 with (s - R a)^2 <= q^2 Var(s - R a): R = tr Sigma / |G|^2 with the coverage of q, the quantile
// of Student's t with n_eff - 1 degrees of freedom (Fieller, J. R. Stat. Soc. B 16, 1954). Where a is not
// distinguishable from 0 there is a lower limit only. `m` has two points or more.
RatioInterval fieller(const Moments& m, double q);

}  // namespace mlq::simigrad
