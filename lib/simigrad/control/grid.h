// Which batches there are: multiples of a granule between two bounds, perhaps on a ladder.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/simigrad/control/options.h"

namespace mlq::simigrad {

// The permitted batch nearest to `wanted` in the logarithm, the larger of two that are as near; none if there
// is none from `low` to `high`. `present` is the batch that integer-factor moves from. Exact: x is compared
// with the geometric mean of its neighbours by x^2 and their product.
std::optional<uint64_t> nearest_batch(double wanted, uint64_t present, uint64_t low, uint64_t high,
                                      uint64_t granule, const Ladder& ladder);

}  // namespace mlq::simigrad
