// Sets of points to choose from. All are valid; the same draws give the same points.
#pragma once

#include <span>
#include <vector>

#include "lib/tune/draws.h"
#include "lib/tune/learn/features.h"

namespace mlq::tune {

// `count` valid points drawn alike, rising, each once (so perhaps fewer); all of them if there are no more.
std::vector<PointId> random_points(const Features& features, size_t count, Draws& draws);

// Of 200 random valid points that farthest from all of `taken` (max-min of the squared distance of columns).
PointId spread_point(const Features& features, std::span<const PointId> taken, Draws& draws);

// Valid neighbours of a point in one or two knobs, at most two steps each; its one-step neighbours first.
std::vector<PointId> careful_neighbours(const Space& space, PointId point, size_t most, Draws& draws);

// Up to `most` valid points within `radius` of the centre in the metric of regions, with its one-step
// neighbours always among them; rising, the centre among them. Of too many, `most` drawn alike; of a grid
// that is not kept, `most` drawn near the centre.
std::vector<PointId> region_points(const Features& features, std::span<const double> weights, PointId centre,
                                   double radius, size_t most, Draws& draws);

// Weights for RegionMetric from the length scales of the axes that have columns:
// clamp(l_a / geometric mean of l, 1/4, 4).
std::vector<double> region_weights(const Features& features, std::span<const double> ln_l);

}  // namespace mlq::tune
