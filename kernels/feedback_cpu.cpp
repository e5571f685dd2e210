#include "kernels/feedback_math.h"

namespace mlq::kernels {

void feedback_compensate_cpu(uint64_t elems, Float source, const void* w, float beta, const float* residual,
                             float* x) {
  for (uint64_t i = 0; i < elems; ++i) x[i] = compensated(load(source, w, i), beta, residual[i]);
}

void feedback_residual_cpu(uint64_t elems, const float* x, Float held_type, const void* held,
                           float* residual) {
  for (uint64_t i = 0; i < elems; ++i) residual[i] = residual_of(x[i], load(held_type, held, i));
}

}  // namespace mlq::kernels
