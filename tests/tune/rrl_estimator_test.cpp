#include "lib/tune/tuner/rrl_estimator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/base/fmath.h"
#include "lib/tune/surface/surface.h"
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {
namespace {

std::vector<double> ranks(const std::vector<double>& x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
  std::vector<double> rank(x.size());
  for (size_t k = 0; k < order.size(); ++k) rank[order[k]] = static_cast<double>(k);
  return rank;
}

double spearman(const std::vector<double>& x, const std::vector<double>& y) {
  const std::vector<double> a = ranks(x), b = ranks(y);
  const auto n = static_cast<double>(x.size());
  double sum = 0;
  for (size_t k = 0; k < x.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return 1 - 6 * sum / (n * (n * n - 1));
}

// Told 100 random windows, the estimator orders all 1331 points of a surface that spans four decades.
TEST(RrlEstimator, RanksASurfaceOf1331PointsAfter100Rows) {
  SurfaceOptions options;
  options.truth_requests = 2000;
  const auto surface = make_preset_surface("pool-batch@400", options);
  const Space& space = surface->space();
  ASSERT_EQ(space.points().size(), 1331u);
  const auto estimator = make_warm_estimator({}, 1, space);
  History history(space, surface->start());
  history.level(surface->levels()[0]);
  for (uint64_t i = 0; i < 100; ++i) {
    Draws draws(1, Purpose::design, i);
    Observation row;
    row.i = i;
    row.point = *draw_untried(history, 0, draws);
    row.y = fmath::log(static_cast<double>(
        *surface->sample(0, row.point, Draws(1, Purpose::surface_noise, i)).latency_mean_ns));
    history.add(row);
    estimator->add(history, history.rows().back());
  }
  std::vector<double> truth;
  for (const PointId p : space.points())
    truth.push_back(static_cast<double>(*surface->truth(0, p).latency_mean_ns));
  EXPECT_GE(spearman(estimator->estimate(surface->levels()[0], space.points()), truth), 0.85);
}

}  // namespace
}  // namespace mlq::tune
