// A warp a block, or a CTA from kCtaBlock elements on: the extreme of the differences, a scale, then codes
// and the new state in the same pass over what is still in the cache. Applying is a thread a unit.
#include "kernels/delta.h"

#include "kernels/cuda_block_int.h"

namespace mlq::kernels {
namespace {

using namespace cuda;
using Codec = BlockIntCodec<0>;

// w - state.
struct Differences {
  Float source, state_type;
  const void *w, *state;
  __device__ __forceinline__ float at(uint64_t i) const {
    return load(source, w, i) - load(state_type, state, i);
  }
};

// Adds n products to the state's elements i ...; how many were cut to the largest of its type.
__device__ __forceinline__ unsigned add_unit(Float state_type, void* state, uint64_t i, unsigned n,
                                             const float (&held)[kUnit], const float (&product)[kUnit]) {
  float sum[kUnit];
#pragma unroll
  for (unsigned k = 0; k < kUnit; ++k) {
    bool cut = false;  // is seen in the sum
    sum[k] = held[k] + decoded_float(product[k], &cut);
  }
  return store_unit(state_type, state, i, n, sum);
}

template <unsigned kSize>
MLQ_KERNEL encode_deltas(Codec codec, BlockLayout layout, Differences values, void* state, uint8_t* codes,
                         void* scales, EncodeCounts* counts, uint64_t* saturated) {
  const Team<kSize> team;
  EncodeCounts met;
  uint64_t cut = 0;
  const uint64_t blocks = layout.blocks();
  for (uint64_t b = team.first; b < blocks; b += team.stride) {
    const BlockSpan span = span_of(layout, b);
    const float extreme = block_extreme(team, values, span, &met.nonfinite);
    const auto chosen = codec.choose(team, extreme, values, span);
    team.wait();  // all have read the state that is now changed
    if (team.rank == 0) {
      codec.put(scales, b, chosen);
      count_scale(chosen.scale, &met);
    }
    const float scale = chosen.scale.value, inverse = codec.inverse(chosen);
    for (uint64_t i = uint64_t{team.rank} * kUnit; i < span.size; i += uint64_t{kSize} * kUnit) {
      const auto n = static_cast<unsigned>(span.size - i < kUnit ? span.size - i : kUnit);
      float w[kUnit], held[kUnit], product[kUnit];
      load_unit(values.source, values.w, span.first + i, n, w);
      load_unit(values.state_type, state, span.first + i, n, held);
      unsigned code[kUnit];
#pragma unroll
      for (unsigned k = 0; k < kUnit; ++k) {
        code[k] = k < n ? codec.code(finite_or_zero(w[k] - held[k]), inverse) : 0;
        product[k] = codec.value(code[k], scale);
      }
      store_bytes(codes + code_byte(layout, codec.bits(), span.row, span.col + i),
                  put_codes(code, codec.bits()), (n * codec.bits() + 7) / 8);
      cut += add_unit(values.state_type, state, span.first + i, n, held, product);
    }
  }
  add_to(counts, met);
  add_to(saturated, cut);
}

MLQ_KERNEL apply_deltas(Codec codec, BlockLayout layout, const uint8_t* codes, const void* scales,
                        Float state_type, void* state, uint64_t* saturated) {
  uint64_t cut = 0;
  const uint64_t per_row = units_of(layout.cols), units = layout.rows * per_row;
  const uint64_t blocks_per_row = layout.blocks_per_row();
  for (uint64_t u = grid_thread(); u < units; u += grid_threads()) {
    const uint64_t row = layout.rows == 1 ? 0 : u / per_row, col = (u - row * per_row) * kUnit;
    const uint64_t block = row * blocks_per_row + (blocks_per_row == 1 ? 0 : col / layout.block);
    const auto n = static_cast<unsigned>(layout.cols - col < kUnit ? layout.cols - col : kUnit);
    const uint64_t word =
        load_bytes(codes + code_byte(layout, codec.bits(), row, col), (n * codec.bits() + 7) / 8);
    const float scale = codec.scale_at(scales, block);
    float held[kUnit], product[kUnit];
    load_unit(state_type, state, row * layout.cols + col, n, held);
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) product[k] = codec.value(get_code(word, codec.bits(), k), scale);
    cut += add_unit(state_type, state, row * layout.cols + col, n, held, product);
  }
  add_to(saturated, cut);
}

}  // namespace

void delta_encode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* w,
                       Float state_type, void* state, uint8_t* codes, void* scales, EncodeCounts* counts,
                       uint64_t* saturated, Stream stream) {
  const Codec codec{spec, static_cast<unsigned>(layout.block)};
  const Differences values{source, state_type, w, state};
  const uint64_t blocks = layout.blocks();
  const uint64_t longest = layout.block < layout.cols ? layout.block : layout.cols;
  if (longest >= kCtaBlock && !codec.searches()) {
    launch(encode_deltas<kThreads>, blocks, stream, codec, layout, values, state, codes, scales, counts,
           saturated);
  } else {
    launch(encode_deltas<kLanes>, divided_up(blocks, kThreads / kLanes), stream, codec, layout, values, state,
           codes, scales, counts, saturated);
  }
}

void delta_apply_cuda(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const void* scales, Float state_type, void* state, uint64_t* saturated, Stream stream) {
  launch(apply_deltas, ctas_for(units_of(layout)), stream, Codec{spec}, layout, codes, scales, state_type,
         state, saturated);
}

}  // namespace mlq::kernels
