#include "kernels/block_math.h"
#include "kernels/cast.h"

namespace mlq::kernels {

void cast_cpu(uint64_t elems, Float source, const void* x, Float target, void* out, uint64_t* saturated) {
  for (uint64_t i = 0; i < elems; ++i) {
    const float v = load(source, x, i);
    *saturated += saturates(target, v);
    store(target, out, i, v);
  }
}

void count_nonfinite_cpu(uint64_t elems, Float source, const void* x, uint64_t* nonfinite) {
  for (uint64_t i = 0; i < elems; ++i) *nonfinite += !is_finite(load(source, x, i));
}

}  // namespace mlq::kernels
