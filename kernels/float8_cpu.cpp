#include "kernels/block_walk.h"
#include "kernels/float8.h"

namespace mlq::kernels {
namespace {

constexpr float kLargestE4m3 = 448;

void encode_e5m2(uint64_t elems, Float source, const void* x, uint8_t* codes, EncodeCounts* counts) {
  for (uint64_t i = 0; i < elems; ++i) {
    const float v = load(source, x, i);
    counts->nonfinite += !is_finite(v);
    codes[i] = e5m2_from_f32(finite_or_zero(v));
  }
}

}  // namespace

float float8_scale(const Float8Spec& spec, float absmax, EncodeCounts* counts) {
  const BlockScale scale = block_scale(spec.scale, absmax / kLargestE4m3, absmax);
  count_scale(scale, counts);
  return scale.value;
}

void float8_encode_scaled_cpu(uint64_t elems, Float source, const void* x, float scale, uint8_t* codes,
                              EncodeCounts* counts) {
  const float inverse = inverse_of(scale);
  for (uint64_t i = 0; i < elems; ++i) {
    const float v = load(source, x, i);
    counts->nonfinite += !is_finite(v);
    codes[i] = scale == 0 ? uint8_t{0} : e4m3_from_f32(finite_or_zero(v) * inverse);
  }
}

void float8_encode_cpu(const Float8Spec& spec, const BlockLayout& layout, Float source, const void* x,
                       uint8_t* codes, void* scales, EncodeCounts* counts) {
  if (spec.type == Float8::e5m2) return encode_e5m2(layout.elems(), source, x, codes, counts);
  for_each_block(layout, [&](const BlockSpan& block) {
    EncodeCounts again;  // what is not finite is met twice
    const float absmax = absolute(block_extreme(source, x, block, &again));
    const float scale = float8_scale(spec, absmax, counts);
    store(spec.scale, scales, block.index, scale);
    const auto* first = static_cast<const uint8_t*>(x) + block.first * size_of(source);
    float8_encode_scaled_cpu(block.size, source, first, scale, codes + block.first, counts);
  });
}

void float8_decode_cpu(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                       const void* scales, Float target, void* out, uint64_t* saturated) {
  const bool e4m3 = spec.type == Float8::e4m3;
  for_each_block(layout, [&](const BlockSpan& block) {
    const float scale = e4m3 ? load(spec.scale, scales, block.index) : 1.0f;
    for (uint64_t i = block.first; i < block.first + block.size; ++i) {
      if (e4m3) {
        *saturated += store_decoded(target, out, i, f32_from_e4m3(codes[i]) * scale);
      } else {
        store(target, out, i, f32_from_e5m2(codes[i]));
      }
    }
  });
}

}  // namespace mlq::kernels
