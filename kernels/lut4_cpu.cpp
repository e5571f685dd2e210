#include "kernels/block_walk.h"
#include "kernels/lut4_math.h"

namespace mlq::kernels {
namespace {

// Two codes a byte: where code i of a row lies.
unsigned nibble_shift(NibbleOrder order, uint64_t i) {
  return (i % 2 == 0) == (order == NibbleOrder::low_first) ? 0 : 4;
}

}  // namespace

const float* lut4_values(Table4 table) { return table == Table4::nf4 ? kNf4Values.at : kFp4Values.at; }

void lut4_encode_cpu(const Lut4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                     uint8_t* codes, void* scales, EncodeCounts* counts) {
  std::memset(codes, 0, layout.code_bytes(4));
  for_each_block(layout, [&](const BlockSpan& block) {
    const float absmax = absolute(block_extreme(source, x, block, counts));
    const BlockScale scale = block_scale(spec.scale, absmax, absmax);
    count_scale(scale, counts);
    store(spec.scale, scales, block.index, scale.value);
    const float inverse = inverse_of(scale.value);
    uint8_t* row_codes = codes + block.row * layout.row_bytes(4);
    for (uint64_t i = 0; i < block.size; ++i) {
      const float v = finite_or_zero(load(source, x, block.first + i)) * inverse;
      const unsigned code = spec.table == Table4::nf4 ? nf4_code(kNf4Midpoints, v) : fp4_code(kFp4Steps, v);
      uint8_t& byte = row_codes[(block.col + i) / 2];
      byte = static_cast<uint8_t>(byte | code << nibble_shift(spec.order, block.col + i));
    }
  });
}

void lut4_decode_cpu(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                     const void* scales, Float target, void* out, uint64_t* saturated) {
  const float* values = lut4_values(spec.table);
  for_each_block(layout, [&](const BlockSpan& block) {
    const float scale = load(spec.scale, scales, block.index);
    const uint8_t* row_codes = codes + block.row * layout.row_bytes(4);
    for (uint64_t i = 0; i < block.size; ++i) {
      const unsigned code = (row_codes[(block.col + i) / 2] >> nibble_shift(spec.order, block.col + i)) & 15u;
      *saturated += store_decoded(target, out, block.first + i, values[code] * scale);
    }
  });
}

}  // namespace mlq::kernels
