// Variance-time and rescaled-range estimators of the Hurst parameter.
#include <cmath>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/stats/hurst_detail.h"

namespace mlq::stats {
namespace {

using namespace detail;

constexpr size_t kParts = 8;
constexpr double kStudent975 = 2.3646242515927844;  // 7 df

double variance_of_block_means(std::span<const double> x, size_t block) {
  const size_t count = x.size() / block;
  std::vector<double> means(count);
  Sum total;
  for (size_t k = 0; k < count; ++k) {
    Sum sum;
    for (const double v : x.subspan(k * block, block)) sum += v;
    means[k] = sum.value() / static_cast<double>(block);
    total += means[k];
  }
  const double mean = total.value() / static_cast<double>(count);
  Sum squares;
  for (const double v : means) squares += (v - mean) * (v - mean);
  return squares.value() / static_cast<double>(count - 1);
}

// Block sizes from `least` to `most`, each `ratio` times the one before.
template <class F>
void for_block_sizes(double least, double most, double ratio, F use) {
  size_t before = 0;
  for (double m = least; m <= most; m *= ratio) {
    const size_t block = static_cast<size_t>(m);
    if (block != before) use(block);
    before = block;
  }
}

constexpr size_t kLong = 4096;  // shorter series must do with blocks that are less than ideal

double variance_time(std::span<const double> x) {
  const double n = static_cast<double>(x.size());
  const bool is_long = x.size() >= kLong;
  Regression regression;
  for_block_sizes(is_long ? 8 : 2, is_long ? n / 128 : n / 8, 1.189207115002721, [&](size_t block) {
    const double variance = variance_of_block_means(x, block);
    if (variance > 0) regression.add(fmath::log(static_cast<double>(block)), fmath::log(variance));
  });
  return 1 + regression.slope() / 2;
}

// R/S of one block; 0 for a constant one.
double rescaled_range(std::span<const double> block) {
  const double n = static_cast<double>(block.size());
  Sum sum;
  for (const double v : block) sum += v;
  const double mean = sum.value() / n;
  double walk = 0;
  double low = 0;
  double high = 0;
  Sum squares;
  for (const double v : block) {
    walk += v - mean;
    low = std::min(low, walk);
    high = std::max(high, walk);
    squares += (v - mean) * (v - mean);
  }
  return squares.value() > 0 ? (high - low) / std::sqrt(squares.value() / n) : 0;
}

// E(R/S) of n independent normals (Anis and Lloyd, Biometrika 1976).
double expected_rescaled_range(size_t n) {
  const double size = static_cast<double>(n);
  const double gammas =
      fmath::exp(fmath::lgamma((size - 1) / 2) - fmath::lgamma(size / 2)) / 1.77245385090551602730;
  Sum sum;
  for (size_t i = 1; i < n; ++i) sum += std::sqrt((size - static_cast<double>(i)) / static_cast<double>(i));
  return gammas * sum.value();
}

double mean_rescaled_range(std::span<const double> x, size_t block) {
  Sum sum;
  size_t count = 0;
  for (size_t at = 0; at + block <= x.size(); at += block) {
    const double range = rescaled_range(x.subspan(at, block));
    sum += range;
    count += range > 0;
  }
  return count == 0 ? 0 : sum.value() / static_cast<double>(count);
}

double rescaled_range_slope(std::span<const double> x) {
  const double n = static_cast<double>(x.size());
  const bool is_long = x.size() >= kLong;
  Regression observed;
  Regression independent;
  for_block_sizes(is_long ? 64 : 16, is_long ? n / 16 : n / 2, 1.414213562373095, [&](size_t block) {
    const double range = mean_rescaled_range(x, block);
    if (range == 0) return;
    const double log_size = fmath::log(static_cast<double>(block));
    observed.add(log_size, fmath::log(range));
    independent.add(log_size, fmath::log(expected_rescaled_range(block)));
  });
  return 0.5 + observed.slope() - independent.slope();
}

HurstEstimate with_interval(std::span<const double> x, double (*estimate)(std::span<const double>)) {
  if (!can_estimate_hurst(x)) return kNoHurst;
  const double h = estimate(x);
  const size_t part = x.size() / kParts;
  Sum sum;
  Sum squares;
  for (size_t k = 0; k < kParts; ++k) {
    const double d = estimate(x.subspan(k * part, part)) - h;
    sum += d;
    squares += d * d;
  }
  const double mean = sum.value() / kParts;
  const double variance = (squares.value() / kParts - mean * mean) / (kParts - 1);
  const double half = kStudent975 * std::sqrt(variance);
  return {h, h - half, h + half};
}

}  // namespace

HurstEstimate hurst_variance_time(std::span<const double> x) { return with_interval(x, variance_time); }

HurstEstimate hurst_rescaled_range(std::span<const double> x) {
  return with_interval(x, rescaled_range_slope);
}

}  // namespace mlq::stats
