// How the values of tensors are distributed.
#pragma once

#include <cstdint>
#include <functional>

#include "lib/quant/encode.h"

namespace mlq::quant {

// Of all elements; NaN and infinities count as 0 in all but their own numbers. The same on any number of
// threads.
struct ValueStats {
  double mean = 0, std = 0;
  double kurtosis = 0;  // m4 / m2^2 of central moments; 0 for a constant
  double min = 0, max = 0;
  double absmax_over_rms = 0;  // 0 for zeros
  uint64_t nan = 0, inf = 0, zero = 0, subnormal = 0;
  double exponent_entropy_bits = 0;  // of the exponent field of the source's type, F64 as f32
};

// Reads every float tensor of the source; `report` in its order, by one thread at a time. False if it was
// interrupted.
bool value_stats(const tensorfile::Source& source, const Resources& resources,
                 const std::function<void(const tensorfile::TensorInfo&, const ValueStats&)>& report);

}  // namespace mlq::quant
