// Kernels over blocks for any format that is given by a codec. This is the way for every layout, alignment
// and tail; formats add faster kernels for what is common. A codec is a small struct of values:
//
//   unsigned bits() const                                     of a code
//   Chosen choose(team, extreme, values, span) const          the block's scale, by all its threads
//   const BlockScale& Chosen::scale, void put(scales, block, chosen) const
//   float inverse(chosen) const; unsigned code(x, inverse) const
//   float scale_at(scales, block) const; float value(code, scale) const
//   uint64_t arranged(word) const                             eight codes as the file wants them, and back
//
// One whose codes depend on where an element is has also
//   void dither(i, v, inverse) const       eight values from element i on become what is rounded, inverse 1
//   void undither(i, scale, y) const       of the same elements, decoded with scale 1, y becomes their values
#pragma once

#include "kernels/cuda_common.h"

namespace mlq::kernels::cuda {

struct BlockSpan {
  uint64_t first, size;  // elements
  uint64_t row, col;     // of the first
};

__device__ __forceinline__ BlockSpan span_of(const BlockLayout& layout, uint64_t block) {
  const uint64_t per_row = layout.blocks_per_row();
  const uint64_t row = layout.rows == 1 ? 0 : block / per_row;
  const uint64_t col = (block - row * per_row) * layout.block;
  const uint64_t left = layout.cols - col;
  return {row * layout.cols + col, left < layout.block ? left : layout.block, row, col};
}

// The values that are encoded, by their place in the tensor; here as they are stored.
struct StoredValues {
  Float source;
  const void* x;
  __device__ __forceinline__ float at(uint64_t i) const { return load(source, x, i); }
};

// The first element with the largest magnitude; what is not finite counts as +0 and is counted.
template <class Team, class Values>
__device__ __forceinline__ float block_extreme(const Team& team, const Values& x, const BlockSpan& span,
                                               uint64_t* nonfinite) {
  constexpr uint64_t kNone = ~uint64_t{0};
  uint32_t largest = 0;
  uint64_t at = kNone;
  for (uint64_t i = team.rank; i < span.size; i += Team::kSize) {
    const float v = x.at(span.first + i);
    *nonfinite += !is_finite(v);
    if (is_finite(v) && magnitude_bits(v) > largest) {
      largest = magnitude_bits(v);
      at = i;
    }
  }
  const uint32_t absmax = team.all(largest, Largest{});
  const uint64_t first = team.all(largest == absmax ? at : kNone, Smallest{});
  return absmax == 0 ? 0.0f : x.at(span.first + first);
}

// Where the codes of a block's element (a multiple of eight in the block) lie.
__device__ __forceinline__ uint64_t code_byte(const BlockLayout& layout, unsigned bits, uint64_t row,
                                              uint64_t col) {
  return row * layout.row_bytes(bits) + col * bits / 8;
}

template <class Codec>
concept Dithers = requires(const Codec& codec, float (&v)[kUnit], float& inverse) {
  codec.dither(uint64_t{}, v, inverse);
  codec.undither(uint64_t{}, inverse, v);
};

template <class Codec>
__device__ __forceinline__ void encode_unit(const Codec& codec, const float (&v)[kUnit], unsigned n,
                                            float inverse, uint8_t* at) {
  unsigned code[kUnit];
#pragma unroll
  for (unsigned k = 0; k < kUnit; ++k) code[k] = k < n ? codec.code(v[k], inverse) : 0;
  store_bytes(at, codec.arranged(put_codes(code, codec.bits())), (n * codec.bits() + 7) / 8);
}

// A team a block, from first_block on.
template <class Codec, unsigned kSize>
MLQ_KERNEL encode_blocks(Codec codec, BlockLayout layout, uint64_t first_block, Float source, const void* x,
                         uint8_t* codes, void* scales, EncodeCounts* counts) {
  const Team<kSize> team;
  EncodeCounts met;
  const uint64_t blocks = layout.blocks();
  for (uint64_t b = first_block + team.first; b < blocks; b += team.stride) {
    const BlockSpan span = span_of(layout, b);
    const StoredValues values{source, x};
    const float extreme = block_extreme(team, values, span, &met.nonfinite);
    const auto chosen = codec.choose(team, extreme, values, span);
    if (team.rank == 0) {
      codec.put(scales, b, chosen);
      count_scale(chosen.scale, &met);
    }
    const float of_block = codec.inverse(chosen);
    for (uint64_t i = uint64_t{team.rank} * kUnit; i < span.size; i += uint64_t{kSize} * kUnit) {
      const auto n = static_cast<unsigned>(span.size - i < kUnit ? span.size - i : kUnit);
      float v[kUnit];
      load_unit(source, x, span.first + i, n, v);
      make_finite(v);
      float inverse = of_block;
      if constexpr (Dithers<Codec>) codec.dither(span.first + i, v, inverse);
      encode_unit(codec, v, n, inverse, codes + code_byte(layout, codec.bits(), span.row, span.col + i));
    }
  }
  add_to(counts, met);
}

// Blocks from this many elements on get a whole CTA.
inline constexpr uint64_t kCtaBlock = 4096;

template <class Codec>
void launch_encode_blocks(const Codec& codec, const BlockLayout& layout, uint64_t first_block, Float source,
                          const void* x, uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream) {
  if (layout.elems() == 0) return;
  const uint64_t blocks = layout.blocks() - first_block;
  const uint64_t longest = layout.block < layout.cols ? layout.block : layout.cols;
  if (longest >= kCtaBlock && !codec.searches()) {
    launch(encode_blocks<Codec, kThreads>, blocks, stream, codec, layout, first_block, source, x, codes,
           scales, counts);
  } else {
    launch(encode_blocks<Codec, kLanes>, divided_up(blocks, kThreads / kLanes), stream, codec, layout,
           first_block, source, x, codes, scales, counts);
  }
}

// Blocks that one thread holds in its registers, kBlock elements: the codec has choose(v, absmax) of all its
// values instead, the missing ones 0.
template <class Codec, unsigned kBlock>
MLQ_KERNEL encode_held_blocks(Codec codec, BlockLayout layout, Float source, const void* x, uint8_t* codes,
                              uint8_t* scales, EncodeCounts* counts) {
  constexpr unsigned kUnits = kBlock / kUnit;
  EncodeCounts met;
  const uint64_t blocks = layout.blocks();
  for (uint64_t b = grid_thread(); b < blocks; b += grid_threads()) {
    const BlockSpan span = span_of(layout, b);
    const auto size = static_cast<unsigned>(span.size);
    float v[kUnits][kUnit];
    uint32_t largest = 0;
#pragma unroll
    for (unsigned u = 0; u < kUnits; ++u) {
      const unsigned from = u * kUnit, left = size > from ? size - from : 0;
      load_unit(source, x, span.first + from, left < kUnit ? left : kUnit, v[u]);
      met.nonfinite += make_finite(v[u]);
#pragma unroll
      for (unsigned k = 0; k < kUnit; ++k) largest = Largest{}(largest, magnitude_bits(v[u][k]));
    }
    const auto chosen = codec.choose(v, f32_from_bits(largest));
    count_scale(chosen.scale, &met);
    scales[b] = chosen.byte;
    const float inverse = codec.inverse(chosen);
    uint8_t* at = codes + code_byte(layout, codec.bits(), span.row, span.col);
#pragma unroll
    for (unsigned u = 0; u < kUnits; ++u) {
      const unsigned from = u * kUnit, left = size > from ? size - from : 0;
      if (left > 0) encode_unit(codec, v[u], left < kUnit ? left : kUnit, inverse, at + codec.bits() * u);
    }
  }
  add_to(counts, met);
}

// Units of a tensor: each row has its own.
__device__ __forceinline__ uint64_t units_of(uint64_t cols) { return (cols + kUnit - 1) / kUnit; }
inline uint64_t units_of(const BlockLayout& layout) { return layout.rows * divided_up(layout.cols, kUnit); }

// One factor for all: a thread a unit.
template <class Codec>
MLQ_KERNEL encode_units(Codec codec, BlockLayout layout, Float source, const void* x, float inverse,
                        uint8_t* codes, EncodeCounts* counts) {
  EncodeCounts met;
  const uint64_t per_row = units_of(layout.cols), units = layout.rows * per_row;
  for (uint64_t u = grid_thread(); u < units; u += grid_threads()) {
    const uint64_t row = layout.rows == 1 ? 0 : u / per_row, col = (u - row * per_row) * kUnit;
    const auto n = static_cast<unsigned>(layout.cols - col < kUnit ? layout.cols - col : kUnit);
    float v[kUnit];
    load_unit(source, x, row * layout.cols + col, n, v);
    met.nonfinite += make_finite(v);
    encode_unit(codec, v, n, inverse, codes + code_byte(layout, codec.bits(), row, col));
  }
  add_to(counts, met);
}

// From unit `first_unit` on: a thread a unit.
template <class Codec>
MLQ_KERNEL decode_units(Codec codec, BlockLayout layout, uint64_t first_unit, const uint8_t* codes,
                        const void* scales, Float target, void* out, uint64_t* saturated) {
  uint64_t cut = 0;
  const uint64_t per_row = units_of(layout.cols), units = layout.rows * per_row;
  const uint64_t blocks_per_row = layout.blocks_per_row();
  for (uint64_t u = first_unit + grid_thread(); u < units; u += grid_threads()) {
    const uint64_t row = layout.rows == 1 ? 0 : u / per_row, col = (u - row * per_row) * kUnit;
    const uint64_t block = row * blocks_per_row + (blocks_per_row == 1 ? 0 : col / layout.block);
    const auto n = static_cast<unsigned>(layout.cols - col < kUnit ? layout.cols - col : kUnit);
    const uint64_t word = codec.arranged(
        load_bytes(codes + code_byte(layout, codec.bits(), row, col), (n * codec.bits() + 7) / 8));
    const float scale = codec.scale_at(scales, block);
    const float factor = Dithers<Codec> ? 1.0f : scale;
    float y[kUnit];
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) y[k] = codec.value(get_code(word, codec.bits(), k), factor);
    if constexpr (Dithers<Codec>) codec.undither(row * layout.cols + col, scale, y);
    cut += store_unit(target, out, row * layout.cols + col, n, y);
  }
  add_to(saturated, cut);
}

template <class Codec>
void launch_decode_units(const Codec& codec, const BlockLayout& layout, uint64_t first_unit,
                         const uint8_t* codes, const void* scales, Float target, void* out,
                         uint64_t* saturated, Stream stream) {
  launch(decode_units<Codec>, ctas_for(units_of(layout) - first_unit), stream, codec, layout, first_unit,
         codes, scales, target, out, saturated);
}

}  // namespace mlq::kernels::cuda
