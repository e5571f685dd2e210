// Linear quantile regression with a line that neither falls nor starts below zero.
#pragma once

#include <cstdint>
#include <span>

namespace mlq::serve {

struct LinePoint {
  double rows = 0, latency_ns = 0, weight = 1;
};
struct QuantileLine {
  double alpha = 0, beta = 0;
  double share_above = 0;  // of the points, unweighted
};

// The line alpha n + beta, alpha, beta >= 0, that minimises sum w rho_q(l - alpha n - beta), rho_q(r) =
// max(q r, (q - 1) r). For a given alpha the best beta is the weighted q-quantile of l - alpha n, or 0; what
// is left is convex in alpha, and is searched by golden section to a relative width of 1e-4. At least one
// point, 0 < q < 1. O(n log n) for each of about 25 steps.
QuantileLine fit_quantile_line(std::span<const LinePoint> points, double q);

}  // namespace mlq::serve
