// Batch means: what the mean of correlated values is worth. A series is cut into consecutive batches that are
// longer than its memory, so that their means are nearly independent (Law and Kelton, Simulation Modeling and
// Analysis, section 9.5.3). Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <span>

namespace mlq::stats {

// Values [first, last) of batch `batch` of `batches`, of a series of n: sizes differ by one at most.
struct Batch {
  size_t first, last;
};
constexpr Batch batch_of(size_t n, size_t batch, size_t batches) {
  return {n * batch / batches, n * (batch + 1) / batches};
}

// The integrated autocorrelation time: n correlated values tell as much of their mean as n divided by it
// independent ones. The size of a batch times the variance of the batches' means over the variance of the
// values, at least 1; 20 batches, of short series fewer with 4 values each. Of fewer than 8 values nothing is
// known, and all count as one.
double autocorrelation_time(std::span<const double> values);

}  // namespace mlq::stats
