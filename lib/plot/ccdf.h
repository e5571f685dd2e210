// The complementary distribution of a histogram, for log scales.
#pragma once

#include <string>
#include <vector>

#include "lib/plot/picture.h"
#include "lib/stats/histogram.h"

namespace mlq::plot {

// P(X >= x) at the lower end x of every bucket that holds a value, and the smallest share at the largest
// value: x in seconds, of values in ns. Shares are exact, x is within a bucket (0.4 %). Points that no eye
// tells apart (a hundredth of x and of the share) are left out.
std::vector<Point> ccdf(const stats::Histogram& histogram);
// Both axes logarithmic: `what` in time units, and the share.
void ccdf_axes(const std::string& what, const std::string& share, Picture& into);

}  // namespace mlq::plot
