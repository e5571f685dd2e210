#include "lib/serve/schedule/quantile_line.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace mlq::serve {
namespace {

class Fit {
 public:
  Fit(std::span<const LinePoint> points, double q) : points_(points), q_(q), rest_(points.size()) {}

  double best_beta(double alpha) {
    double total = 0;
    for (size_t i = 0; i < points_.size(); ++i) {
      rest_[i] = {points_[i].latency_ns - alpha * points_[i].rows, points_[i].weight};
      total += points_[i].weight;
    }
    std::sort(rest_.begin(), rest_.end());
    double below = 0;
    for (const auto& [value, weight] : rest_) {
      below += weight;
      if (below >= q_ * total) return std::max(0.0, value);
    }
    return std::max(0.0, rest_.back().first);
  }

  double loss(double alpha) {
    const double beta = best_beta(alpha);
    double sum = 0;
    for (const LinePoint& point : points_) {
      const double r = point.latency_ns - alpha * point.rows - beta;
      sum += point.weight * std::max(q_ * r, (q_ - 1) * r);
    }
    return sum;
  }

 private:
  std::span<const LinePoint> points_;
  double q_;
  std::vector<std::pair<double, double>> rest_;
};

}  // namespace

QuantileLine fit_quantile_line(std::span<const LinePoint> points, double q) {
  constexpr double kGolden = 0.61803398874989485;
  Fit fit(points, q);
  double lo = 0, hi = 0;
  for (const LinePoint& point : points) hi = std::max(hi, point.latency_ns / point.rows);
  const double width = 1e-4 * hi;
  double a = hi - kGolden * (hi - lo), b = lo + kGolden * (hi - lo);
  double loss_a = fit.loss(a), loss_b = fit.loss(b);
  while (hi - lo > width) {
    // Of equal losses the steeper line is kept: the cautious one for larger sizes.
    if (loss_a < loss_b) {
      hi = std::exchange(b, a);
      loss_b = loss_a;
      loss_a = fit.loss(a = hi - kGolden * (hi - lo));
    } else {
      lo = std::exchange(a, b);
      loss_a = loss_b;
      loss_b = fit.loss(b = lo + kGolden * (hi - lo));
    }
  }
  QuantileLine line{.alpha = (lo + hi) / 2, .beta = 0, .share_above = 0};
  line.beta = fit.best_beta(line.alpha);
  const auto above = std::count_if(points.begin(), points.end(), [&](const LinePoint& point) {
    return point.latency_ns > (line.alpha * point.rows + line.beta) * (1 + 1e-9);
  });
  line.share_above = static_cast<double>(above) / static_cast<double>(points.size());
  return line;
}

}  // namespace mlq::serve
