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

std::optional<MeanEstimate> mean_estimate(std::span<const double> values) {
  if (values.size() < 2) return std::nullopt;
  const auto n = static_cast<double>(values.size());
  Sum sum;
  for (const double v : values) sum += v;
  MeanEstimate out{sum.value() / n, 0, values.size()};
  Sum squares;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.variance = squares.value() / (n - 1) / n;
  return out;
}

Interval student_interval(const MeanEstimate& estimate, double confidence) {
  const double t = student_quantile((1 + confidence) / 2, static_cast<double>(estimate.n - 1));
  const double half = t * std::sqrt(estimate.variance);
  return {estimate.mean - half, estimate.mean + half};
}

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
  const double all = mean_estimate(values)->variance;
  if (all <= 0) return 1;
  // Both are variances of the mean of all: of independent batches, and as if the values were independent.
  const double batched = mean_estimate(std::span(means).first(batches))->variance;
  return std::max(1.0, batched / all);
}

}  // namespace mlq::stats
