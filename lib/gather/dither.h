// The offsets of subtractive dither (kernels/dither.h) as ranks draw them alike.
#pragma once

#include "kernels/dither.h"
#include "lib/base/random.h"

namespace mlq::gather {

// Which offsets a gather has: those of the seed, the number of the tensor, the step, and how many gathers a
// period has. An element's offsets within a period are frac(u + i / strata) - 1/2, i = 0 ... strata - 1, with
// u drawn once. 2^32 periods; then they begin again.
inline kernels::DitherKey dither_key(uint64_t seed, uint32_t tensor, uint64_t step, unsigned strata) {
  return {RandomStream(seed, Purpose::dither).key(), static_cast<uint32_t>(step / strata), tensor,
          static_cast<float>(step % strata) / static_cast<float>(strata)};
}

}  // namespace mlq::gather
