#include "lib/simigrad/estimate/interval.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mlq::simigrad {

RatioInterval fieller(const Moments& m, double q) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  constexpr double kEndless = std::numeric_limits<double>::infinity();
  const double qq = q * q;
  // The set is {R >= 0 : A R^2 - 2 H R + C <= 0}.
  const double A = m.a * m.a - qq * m.v_aa;
  const double H = m.a * m.s - qq * m.v_as;
  const double C = m.s * m.s - qq * m.v_ss;
  const double root = std::sqrt(std::max(0.0, H * H - A * C));
  if (A > 0) {
    // s / a is in the set, so that the roots are real but for rounding.
    const double hi = (H + root) / A;
    return hi < 0 ? RatioInterval{kNone, kNone} : RatioInterval{std::max(0.0, (H - root) / A), hi};
  }
  if (C <= 0) return {0, kEndless};
  // The product of the roots, C / A, is negative: the positive one, without cancellation, is C over the
  // larger of H +- root. A = 0 leaves 2 H R >= C.
  const double divisor = H + root;
  return divisor > 0 ? RatioInterval{C / divisor, kEndless} : RatioInterval{kNone, kNone};
}

}  // namespace mlq::simigrad
