#include "kernels/block_walk.h"
#include "kernels/delta.h"

namespace mlq::kernels {
namespace {

const void* scale_of(const BlockIntSpec& spec, const void* scales, uint64_t block) {
  return static_cast<const uint8_t*>(scales) + block * size_of(spec.scale);
}

}  // namespace

void delta_encode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* w,
                      Float state_type, void* state, uint8_t* codes, void* scales, EncodeCounts* counts,
                      uint64_t* saturated) {
  for_each_block(layout, [&](const BlockSpan& block) {
    float d[kDeltaLargestBlock];
    for (uint64_t i = 0; i < block.size; ++i)
      d[i] = load(source, w, block.first + i) - load(state_type, state, block.first + i);
    block_int_encode_cpu(spec, {1, block.size, layout.block}, Float::f32, d,
                         codes + block.row * layout.row_bytes(spec.bits) + block.col * spec.bits / 8,
                         const_cast<void*>(scale_of(spec, scales, block.index)), counts);
  });
  delta_apply_cpu(spec, layout, codes, scales, state_type, state, saturated);
}

void delta_apply_cpu(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                     const void* scales, Float state_type, void* state, uint64_t* saturated) {
  for_each_block(layout, [&](const BlockSpan& block) {
    float d[kDeltaLargestBlock];
    uint64_t cut = 0;  // a product that is cut is seen in the sum
    block_int_decode_cpu(spec, {1, block.size, layout.block},
                         codes + block.row * layout.row_bytes(spec.bits) + block.col * spec.bits / 8,
                         scale_of(spec, scales, block.index), Float::f32, d, &cut);
    for (uint64_t i = 0; i < block.size; ++i)
      *saturated +=
          store_decoded(state_type, state, block.first + i, load(state_type, state, block.first + i) + d[i]);
  });
}

}  // namespace mlq::kernels
