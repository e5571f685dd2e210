// A window from cumulative metrics: what was added between two looks at them. Pure.
#pragma once

#include <span>

#include "lib/tune/measure/exposition.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/measure/source.h"

namespace mlq::tune {

// What was added from one look to a later one; none if a counter fell or the buckets are others: the server
// was started anew.
std::optional<MetricState> added(const MetricState& before, const MetricState& after);

// A quantile of a histogram: it lies in its bucket, (lo, hi], and is taken there by ln-linear interpolation.
// Of the first bucket, lo is as far below hi (in ln) as the next bucket is wide. hi is infinite, and at is
// lo, in the last.
struct BucketQuantile {
  double at_ns, lo_ns, hi_ns;
};
// None of an empty histogram, or without buckets. 0 < q < 1.
std::optional<BucketQuantile> bucket_quantile(const MetricState& counts, double q);

// How many of the histogram's requests took at most so long, by the same interpolation.
double count_within(const MetricState& counts, double limit_ns);

// Fills in the figures of `out` from what was added in the window, and its parts (from look to look), of
// which up to 10 groups give y_var; a quantile adds (ln hi - ln lo)^2 / 12 to it. stat_lo_ns and stat_hi_ns
// hold the whole bucket. Requests are count + errors; they are good if they succeeded within the limit of the
// objective's request terms. CPU time: of all of the process.
void describe_metrics(const MetricState& whole, std::span<const MetricState> parts, int64_t window_ns,
                      const Objective& objective, const MetricQuery& query, Window& out);

}  // namespace mlq::tune
