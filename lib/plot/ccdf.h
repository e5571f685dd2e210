// The complementary distribution of a histogram, for log scales.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/plot/picture.h"
#include "lib/records/trace.h"
#include "lib/stats/histogram.h"

namespace mlq::plot {

// P(X >= x) at the lower end x of every bucket that holds a value, and the share of one value at the largest,
// however many there are in its bucket: x in seconds, of values in ns. The other shares are exact, x is
// within a bucket (0.4 %). Points that no eye tells apart (a hundredth of x and of the share) are left out.
std::vector<Point> ccdf(const stats::Histogram& histogram);
// What a hist record counted; none if that is not ns in buckets like ours. An input Error that begins with
// `where` if its fields contradict each other.
std::optional<stats::Histogram> histogram_of(const records::Hist& hist, const std::string& where);
// Both axes logarithmic: `what` in time units, and percentiles.
void ccdf_axes(const std::string& what, Picture& into);

}  // namespace mlq::plot
