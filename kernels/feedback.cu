// A thread a unit.
#include "kernels/cuda_common.h"
#include "kernels/feedback_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

// Calls visit(i, n) for the units of this thread: elements i ... i + n - 1.
template <class Visit>
__device__ __forceinline__ void for_each_unit(uint64_t elems, const Visit& visit) {
  const uint64_t units = divided_up(elems, kUnit);
  for (uint64_t u = grid_thread(); u < units; u += grid_threads()) {
    const uint64_t i = u * kUnit;
    visit(i, static_cast<unsigned>(elems - i < kUnit ? elems - i : kUnit));
  }
}

MLQ_KERNEL compensate_units(uint64_t elems, Float source, const void* w, float beta, const float* residual,
                            float* x) {
  for_each_unit(elems, [&](uint64_t i, unsigned n) {
    float weight[kUnit], carried[kUnit];
    load_unit(source, w, i, n, weight);
    load_unit(Float::f32, residual, i, n, carried);
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) weight[k] = compensated(weight[k], beta, carried[k]);
    store_floats(Float::f32, x, i, n, weight);
  });
}

MLQ_KERNEL residual_units(uint64_t elems, const float* x, Float held_type, const void* held,
                          float* residual) {
  for_each_unit(elems, [&](uint64_t i, unsigned n) {
    float wanted[kUnit], got[kUnit];
    load_unit(Float::f32, x, i, n, wanted);
    load_unit(held_type, held, i, n, got);
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) wanted[k] = residual_of(wanted[k], got[k]);
    store_floats(Float::f32, residual, i, n, wanted);
  });
}

}  // namespace

void feedback_compensate_cuda(uint64_t elems, Float source, const void* w, float beta, const float* residual,
                              float* x, Stream stream) {
  launch(compensate_units, ctas_for(divided_up(elems, kUnit)), stream, elems, source, w, beta, residual, x);
}

void feedback_residual_cuda(uint64_t elems, const float* x, Float held_type, const void* held,
                            float* residual, Stream stream) {
  launch(residual_units, ctas_for(divided_up(elems, kUnit)), stream, elems, x, held_type, held, residual);
}

}  // namespace mlq::kernels
