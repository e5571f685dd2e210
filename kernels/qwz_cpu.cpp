#include "kernels/block_walk.h"
#include "kernels/qwz_math.h"

namespace mlq::kernels {
namespace {

using EncodeScaled = void(const BlockIntSpec&, const BlockLayout&, Float, const void*, float, uint8_t*,
                          EncodeCounts*);

// A block at a time: its scale, then codes by that.
void encode_by(EncodeScaled& encode_scaled, const BlockIntSpec& spec, const BlockLayout& layout, Float source,
               const void* x, uint8_t* codes, void* scales, EncodeCounts* counts) {
  for_each_block(layout, [&](const BlockSpan& block) {
    EncodeCounts seen;  // the encoder counts what is not finite
    const BlockScale scale = qwz_scale_of(spec, block_extreme(source, x, block, &seen));
    count_scale(scale, counts);
    store(spec.scale, scales, block.index, scale.value);
    encode_scaled(spec, {1, block.size, block.size}, source,
                  static_cast<const uint8_t*>(x) + block.first * size_of(source), scale.value,
                  codes + block.row * layout.row_bytes(spec.bits) + block.col * spec.bits / 8, counts);
  });
}

}  // namespace

void qwz_encode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                    uint8_t* codes, void* scales, EncodeCounts* counts) {
  encode_by(block_int_encode_scaled_cpu, spec, layout, source, x, codes, scales, counts);
}

void qwz_encode_simd(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                     uint8_t* codes, void* scales, EncodeCounts* counts) {
  encode_by(block_int_encode_scaled_simd, spec, layout, source, x, codes, scales, counts);
}

}  // namespace mlq::kernels
