#include "kernels/cuda_block_int.h"
#include "kernels/cuda_flat.h"

namespace mlq::kernels {

using namespace cuda;

void block_int_encode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                           uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream) {
  const BlockIntCodec<0> any{spec, static_cast<unsigned>(layout.block)};
  if (spec.grid == Grid::mse)
    return launch_encode_blocks(any, layout, 0, source, x, codes, scales, counts, stream);
  with_bits(spec.bits, [&](auto bits) {
    launch_encode(BlockIntCodec<bits>{spec}, any, layout, source, x, codes, scales, counts, stream);
  });
}

void block_int_encode_scaled_cuda(const BlockIntSpec& spec, const BlockLayout& layout, Float source,
                                  const void* x, float scale, uint8_t* codes, EncodeCounts* counts,
                                  Stream stream) {
  launch(encode_units<BlockIntCodec<0>>, ctas_for(units_of(layout)), stream, BlockIntCodec<0>{spec}, layout,
         source, x, inverse_of(scale), codes, counts);
}

void block_int_decode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                           const void* scales, Float target, void* out, uint64_t* saturated, Stream stream) {
  with_bits(spec.bits, [&](auto bits) {
    launch_decode(BlockIntCodec<bits>{spec}, BlockIntCodec<0>{spec}, layout, codes, scales, target, out,
                  saturated, stream);
  });
}

}  // namespace mlq::kernels
