#include "kernels/cast.h"

#include "kernels/cuda_common.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

MLQ_KERNEL cast_units(uint64_t elems, Float source, const void* x, Float target, void* out,
                      uint64_t* saturated) {
  uint64_t cut = 0;
  const uint64_t units = divided_up(elems, kUnit);
  for (uint64_t u = grid_thread(); u < units; u += grid_threads()) {
    const uint64_t i = u * kUnit;
    const auto n = static_cast<unsigned>(elems - i < kUnit ? elems - i : kUnit);
    float v[kUnit];
    load_unit(source, x, i, n, v);
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) cut += saturates(target, v[k]);
    store_floats(target, out, i, n, v);
  }
  add_to(saturated, cut);
}

MLQ_KERNEL count_units(uint64_t elems, Float source, const void* x, uint64_t* nonfinite) {
  uint64_t found = 0;
  const uint64_t units = divided_up(elems, kUnit);
  for (uint64_t u = grid_thread(); u < units; u += grid_threads()) {
    const uint64_t i = u * kUnit;
    float v[kUnit];
    load_unit(source, x, i, static_cast<unsigned>(elems - i < kUnit ? elems - i : kUnit), v);
    found += make_finite(v);
  }
  add_to(nonfinite, found);
}

}  // namespace

void cast_cuda(uint64_t elems, Float source, const void* x, Float target, void* out, uint64_t* saturated,
               Stream stream) {
  launch(cast_units, ctas_for(divided_up(elems, kUnit)), stream, elems, source, x, target, out, saturated);
}

void count_nonfinite_cuda(uint64_t elems, Float source, const void* x, uint64_t* nonfinite, Stream stream) {
  launch(count_units, ctas_for(divided_up(elems, kUnit)), stream, elems, source, x, nonfinite);
}

}  // namespace mlq::kernels
