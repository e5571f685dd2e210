// The scale of qwz.h.
#pragma once

#include "kernels/block_int_math.h"
#include "kernels/qwz.h"

namespace mlq::kernels {

MLQ_HOST_DEVICE constexpr BlockScale qwz_scale_of(const BlockIntSpec& spec, float extreme) {
  const float absmax = absolute(extreme);
  return block_scale(spec.scale, absmax / half_range(spec.bits), absmax);
}

}  // namespace mlq::kernels
