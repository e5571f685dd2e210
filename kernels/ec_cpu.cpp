#include <cstring>

#include "kernels/ec_math.h"

namespace mlq::kernels {

uint64_t ec_encode_cpu(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                       void* escapes, EncodeCounts* counts) {
  const float inverse = 1.0f / step;
  const int offset = high ? kEcWideOffset : kEcNarrowOffset;
  const size_t width = size_of(source);
  uint64_t escaped = 0;
  for (uint64_t i = 0; i < elems; ++i) {
    const float v = load(source, x, i);
    counts->nonfinite += !is_finite(v);
    const unsigned code = ec_code(finite_or_zero(v), inverse, offset);
    low[i] = static_cast<uint8_t>(code);
    if (high) high[i] = static_cast<uint8_t>(code >> 8);
    if (code == 0)
      std::memcpy(static_cast<uint8_t*>(escapes) + escaped++ * width,
                  static_cast<const uint8_t*>(x) + i * width, width);
  }
  return escaped;
}

void ec_decode_cpu(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                   const void* escapes, Float target, void* out, uint64_t* saturated) {
  const int offset = high ? kEcWideOffset : kEcNarrowOffset;
  uint64_t escaped = 0;
  for (uint64_t i = 0; i < elems; ++i) {
    const unsigned code = low[i] | (high ? unsigned{high[i]} << 8 : 0u);
    if (code == 0) {
      const float v = load(source, escapes, escaped++);
      *saturated += saturates(target, v);
      store(target, out, i, v);
    } else {
      *saturated += store_decoded(target, out, i, ec_value(code, step, offset));
    }
  }
}

}  // namespace mlq::kernels
