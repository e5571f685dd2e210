#include "lib/tune/tuner/parzen.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/base/fmath.h"

namespace mlq::tune {
namespace {

double normal_cdf(double z) { return 0.5 * fmath::erfc(-z * 0.70710678118654752440); }

void normal_kernel(double at, double width, std::span<double> row) {
  double before = normal_cdf((-0.5 - at) / width);
  double sum = 0;
  for (size_t s = 0; s < row.size(); ++s) {
    const double here = normal_cdf((static_cast<double>(s) + 0.5 - at) / width);
    row[s] = here - before;
    sum += row[s];
    before = here;
  }
  for (double& p : row) p /= sum;
}

}  // namespace

size_t parzen_good(size_t n) { return std::min<size_t>((n + 9) / 10, 25); }

std::vector<double> parzen_weights(size_t n) {
  constexpr size_t kFlat = 25;
  std::vector<double> weights(n + 1, 1.0);
  if (n > kFlat) {
    const size_t ramp = n - kFlat;
    const double first = 1.0 / static_cast<double>(n);
    for (size_t k = 0; k < ramp; ++k)
      weights[k] =
          ramp == 1 ? first : first + (1 - first) * static_cast<double>(k) / static_cast<double>(ramp - 1);
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& w : weights) w /= sum;
  return weights;
}

std::vector<double> parzen_widths(std::span<const uint32_t> steps, size_t values, size_t dims) {
  const size_t n = steps.size();
  const auto range = static_cast<double>(values);
  const double low = -0.5, high = range - 0.5;
  std::vector<double> widths(n + 1, range);
  if (dims > 0) {
    const auto kernels = static_cast<double>(std::max<size_t>(n, 1));
    const double width = 0.2 * range * fmath::pow(kernels, -1.0 / static_cast<double>(dims + 4));
    std::fill(widths.begin(), widths.end(), width);
  } else {
    std::vector<double> at(steps.begin(), steps.end());
    at.push_back((low + high) / 2);
    std::vector<size_t> order(n + 1);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return at[a] < at[b]; });
    for (size_t k = 0; k <= n; ++k) {
      // With one neighbour only, the way to the end of the range does not count.
      const double left = at[order[k]] - (k > 0 ? at[order[k - 1]] : low);
      const double right = (k < n ? at[order[k + 1]] : high) - at[order[k]];
      const bool ends = n >= 1;
      widths[order[k]] = ends && k == 0 ? right : ends && k == n ? left : std::max(left, right);
    }
  }
  const double least = range / std::min(100.0, 1.0 + static_cast<double>(n + 1));
  for (double& w : widths) w = std::clamp(w, least, range);
  widths[n] = range;
  return widths;
}

std::vector<double> parzen_kernels(std::span<const uint32_t> steps, size_t values, bool ordered,
                                   size_t dims) {
  const size_t kernels = steps.size() + 1;
  std::vector<double> rows(kernels * values);
  const auto row = [&](size_t k) { return std::span(rows).subspan(k * values, values); };
  if (ordered) {
    const std::vector<double> widths = parzen_widths(steps, values, dims);
    for (size_t k = 0; k + 1 < kernels; ++k) normal_kernel(steps[k], widths[k], row(k));
    normal_kernel((static_cast<double>(values) - 1) / 2, widths.back(), row(kernels - 1));
    return rows;
  }
  const double everywhere = 1.0 / static_cast<double>(kernels);
  for (size_t k = 0; k < kernels; ++k) {
    for (double& p : row(k)) p = everywhere;
    if (k + 1 < kernels) row(k)[steps[k]] += 1;
    const double sum = everywhere * static_cast<double>(values) + (k + 1 < kernels ? 1 : 0);
    for (double& p : row(k)) p /= sum;
  }
  return rows;
}

}  // namespace mlq::tune
