#include "lib/tune/learn/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/fmath.h"

namespace mlq::tune {
namespace {

constexpr double kStep = 0.3;  // the longest that one step may be

void sort_unique(std::vector<PointId>& points) {
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
}

// `count` of them drawn alike, to the front.
void draw_some(std::vector<PointId>& points, size_t count, Draws& draws) {
  if (points.size() <= count) return;
  for (size_t k = 0; k < count; ++k) std::swap(points[k], points[k + draws.below(points.size() - k)]);
  points.resize(count);
}

// Points near the centre in a grid that is not listed: every knob is moved with chance 1/2 by a number of
// steps that the radius allows.
std::vector<PointId> sampled_region(const Features& features, std::span<const double> weights, PointId centre,
                                    double radius, size_t most, Draws& draws) {
  const Space& space = features.space();
  std::vector<PointId> out;
  for (size_t tries = 0; tries < 4 * most && out.size() < most; ++tries) {
    PointId point = centre;
    for (size_t a = 0; a < features.axes(); ++a) {
      const size_t axis = features.space_axis(a);
      const size_t values = space.axes()[axis].values.size();
      if (draws.uniform() < 0.5) continue;
      if (!space.axes()[axis].ordered) {
        point = space.with_step(point, axis, static_cast<uint32_t>(draws.below(values)));
        continue;
      }
      const double span = static_cast<double>(values - 1);
      const double reach = std::max(1.0, radius * weights[axis] * span / std::min(1.0, kStep * span));
      const double moved = space.step(point, axis) + std::floor((2 * draws.uniform() - 1) * reach + 0.5);
      point = space.with_step(point, axis, static_cast<uint32_t>(std::clamp(moved, 0.0, span)));
    }
    point = space.canonical(point);
    if (space.valid(point)) out.push_back(point);
  }
  return out;
}

}  // namespace

std::vector<PointId> random_points(const Features& features, size_t count, Draws& draws) {
  const Space& space = features.space();
  std::vector<PointId> out;
  if (space.listed() && space.points().size() <= count) {
    out.assign(space.points().begin(), space.points().end());
    return out;
  }
  out.reserve(count);
  for (size_t k = 0; k < count; ++k) out.push_back(space.draw(draws));
  sort_unique(out);
  return out;
}

PointId spread_point(const Features& features, std::span<const PointId> taken,
                     std::span<const PointId> points) {
  const size_t columns = features.columns();
  std::vector<double> known(columns * taken.size()), x(columns);
  for (size_t k = 0; k < taken.size(); ++k)
    features.encode(taken[k], std::span<double>(known).subspan(k * columns, columns));
  PointId best = points[0];
  double best_distance = -1;
  for (const PointId point : points) {
    features.encode(point, x);
    double nearest = std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < taken.size(); ++k) {
      double distance = 0;
      for (size_t c = 0; c < columns; ++c) {
        const double d = x[c] - known[k * columns + c];
        distance += features.weight(c) * d * d;
      }
      nearest = std::min(nearest, distance);
    }
    if (nearest > best_distance) {
      best_distance = nearest;
      best = point;
    }
  }
  return best;
}

std::vector<PointId> careful_neighbours(const Space& space, PointId point, size_t most, Draws& draws) {
  std::vector<PointId> out = space.neighbours(point);
  const size_t one_step = out.size();
  std::vector<PointId> more;
  for (size_t tries = 0; tries < 4 * most; ++tries) {
    PointId other = point;
    for (int knob = 0; knob < 2; ++knob) {
      const size_t axis = draws.below(space.dims());
      const auto values = static_cast<double>(space.axes()[axis].values.size());
      const double moved = space.step(point, axis) + static_cast<double>(draws.below(5)) - 2.0;
      if (moved >= 0 && moved < values) other = space.with_step(other, axis, static_cast<uint32_t>(moved));
    }
    other = space.canonical(other);
    if (other != point && space.valid(other)) more.push_back(other);
  }
  sort_unique(more);
  for (const PointId other : more)
    if (std::find(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(one_step), other) ==
        out.begin() + static_cast<std::ptrdiff_t>(one_step))
      out.push_back(other);
  if (out.size() > most) out.resize(most);
  return out;
}

std::vector<PointId> region_points(const Features& features, std::span<const double> weights, PointId centre,
                                   double radius, size_t most, Draws& draws) {
  const Space& space = features.space();
  std::vector<PointId> out = features.kept() ? RegionMetric(space, weights).region(centre, radius)
                                             : sampled_region(features, weights, centre, radius, most, draws);
  draw_some(out, most, draws);
  const std::vector<PointId> beside = space.neighbours(centre);
  out.insert(out.end(), beside.begin(), beside.end());
  out.push_back(centre);
  sort_unique(out);
  return out;
}

std::vector<double> region_weights(const Features& features, std::span<const double> ln_l) {
  double mean = 0;
  for (const double l : ln_l) mean += l;
  mean /= static_cast<double>(std::max<size_t>(ln_l.size(), 1));
  std::vector<double> out(features.space().dims(), 1.0);
  for (size_t a = 0; a < ln_l.size(); ++a)
    out[features.space_axis(a)] = std::clamp(fmath::exp(ln_l[a] - mean), 0.25, 4.0);
  return out;
}

}  // namespace mlq::tune
