#include "lib/stats/batch_means.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "lib/stats/student.h"
#include "lib/stats/sum.h"

namespace mlq::stats {
namespace {

constexpr size_t kBatches = 20;
constexpr size_t kLeastBatch = 4;

}  // namespace

double autocorrelation_time(std::span<const double> values) {
  const size_t n = values.size();
  const size_t batches = std::min(kBatches, n / kLeastBatch);
  if (batches < 2) return std::max<double>(static_cast<double>(n), 1);
  std::array<double, kBatches> means{};
  for (size_t b = 0; b < batches; ++b) {
    const Batch batch = batch_of(n, b, batches);
    Sum sum;
    for (size_t k = batch.first; k < batch.last; ++k) sum += values[k];
    means[b] = sum.value() / static_cast<double>(batch.last - batch.first);
  }
  const double sd = mean_interval(values).sd;
  if (!(sd > 0)) return 1;
  // Both are errors of the mean of all: of independent batches, and as if the values were independent.
  const double plain = sd * sd / static_cast<double>(n);
  const double batched_sd = mean_interval(std::span(means).first(batches)).sd;
  return std::max(1.0, batched_sd * batched_sd / static_cast<double>(batches) / plain);
}

}  // namespace mlq::stats
