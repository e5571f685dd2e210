#include "kernels/block_int_math.h"
#include "kernels/block_walk.h"

namespace mlq::kernels {
namespace {

float element(Float source, const void* x, uint64_t i) { return finite_or_zero(load(source, x, i)); }

float candidate_error(const BlockIntSpec& spec, uint64_t padded, Float source, const void* x,
                      const BlockSpan& block, float scale) {
  const CodeRange range = code_range(spec);
  const float inverse = inverse_of(scale);
  float errors[kMseLargestBlock];
  for (uint64_t i = 0; i < padded; ++i) {
    const float v = i < block.size ? element(source, x, block.first + i) : 0.0f;
    errors[i] = squared_error(quantized(v, inverse, range.low, range.high) * scale, v);
  }
  return folded(errors, padded);
}

BlockScale best_scale(const BlockIntSpec& spec, uint64_t padded, Float source, const void* x,
                      const BlockSpan& block, float extreme) {
  BlockScale best;
  float least = 0;
  for (unsigned k = kMseFirst; k <= kMseLast; ++k) {
    const BlockScale scale = block_int_candidate(spec, extreme, k);
    const float error = candidate_error(spec, padded, source, x, block, scale.value);
    if (k == kMseFirst || error < least) {
      best = scale;
      least = error;
    }
  }
  return best;
}

void encode_elements(const BlockIntSpec& spec, Float source, const void* x, const BlockSpan& block,
                     float scale, uint8_t* row_codes) {
  const CodeRange range = code_range(spec);
  const float inverse = inverse_of(scale);
  for (uint64_t i = 0; i < block.size; ++i) {
    const float v = element(source, x, block.first + i);
    const int code = static_cast<int>(quantized(v, inverse, range.low, range.high));
    if (spec.bits == 8) {
      row_codes[block.col + i] = static_cast<uint8_t>(code);
    } else {
      put_code(row_codes, block.col + i, spec.bits, static_cast<unsigned>(code + (1 << (spec.bits - 1))));
    }
  }
}

}  // namespace

void block_int_encode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                          uint8_t* codes, void* scales, EncodeCounts* counts) {
  std::memset(codes, 0, layout.code_bytes(spec.bits));
  for_each_block(layout, [&](const BlockSpan& block) {
    const float extreme = block_extreme(source, x, block, counts);
    const BlockScale scale = spec.grid == Grid::mse
                                 ? best_scale(spec, layout.block, source, x, block, extreme)
                                 : block_int_scale_of(spec, extreme);
    count_scale(scale, counts);
    store(spec.scale, scales, block.index, scale.value);
    encode_elements(spec, source, x, block, scale.value, codes + block.row * layout.row_bytes(spec.bits));
  });
}

float block_int_scale(const BlockIntSpec& spec, float extreme, EncodeCounts* counts) {
  const BlockScale scale = block_int_scale_of(spec, extreme);
  count_scale(scale, counts);
  return scale.value;
}

void block_int_encode_scaled_cpu(const BlockIntSpec& spec, const BlockLayout& layout, Float source,
                                 const void* x, float scale, uint8_t* codes, EncodeCounts* counts) {
  std::memset(codes, 0, layout.code_bytes(spec.bits));
  for_each_block({layout.rows, layout.cols, layout.cols}, [&](const BlockSpan& row) {
    block_extreme(source, x, row, counts);  // for what is not finite
    encode_elements(spec, source, x, row, scale, codes + row.row * layout.row_bytes(spec.bits));
  });
}

void block_int_decode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                          const void* scales, Float target, void* out, uint64_t* saturated) {
  for_each_block(layout, [&](const BlockSpan& block) {
    const float scale = load(spec.scale, scales, block.index);
    const uint8_t* row_codes = codes + block.row * layout.row_bytes(spec.bits);
    for (uint64_t i = 0; i < block.size; ++i) {
      const int code = spec.bits == 8 ? static_cast<int8_t>(row_codes[block.col + i])
                                      : static_cast<int>(get_code(row_codes, block.col + i, spec.bits)) -
                                            (1 << (spec.bits - 1));
      *saturated += store_decoded(target, out, block.first + i, static_cast<float>(code) * scale);
    }
  });
}

}  // namespace mlq::kernels
