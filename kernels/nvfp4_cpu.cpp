#include "kernels/block_walk.h"
#include "kernels/nvfp4_math.h"

namespace mlq::kernels {
namespace {

float element(Float source, const void* x, uint64_t i) { return finite_or_zero(load(source, x, i)); }

float scale_error(Float source, const void* x, const BlockSpan& block, float scale) {
  const float inverse = inverse_of(scale);
  float errors[kNvfp4Block] = {};
  for (uint64_t i = 0; i < block.size; ++i) {
    const float v = element(source, x, block.first + i);
    errors[i] = squared_error(f32_from_e2m1(e2m1_from_f32(v * inverse)) * scale, v);
  }
  return folded(errors, kNvfp4Block);
}

Nvfp4Scale chosen_scale(const Nvfp4Spec& spec, Float source, const void* x, const BlockSpan& block,
                        float absmax) {
  const Nvfp4Scale six = nvfp4_block_scale(absmax, 6, spec.g);
  if (!spec.four_or_six) return six;
  const Nvfp4Scale four = nvfp4_block_scale(absmax, 4, spec.g);
  return scale_error(source, x, block, four.scale.value) < scale_error(source, x, block, six.scale.value)
             ? four
             : six;
}

}  // namespace

float nvfp4_factor(bool four_or_six, float tensor_absmax) {
  const float g = (four_or_six ? 256.0f * 6 : 448.0f * 6) / tensor_absmax;
  return is_finite(g) && magnitude_bits(g) >= kSmallestNormalBits ? g : 1.0f;
}

void nvfp4_encode_cpu(const Nvfp4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                      uint8_t* codes, uint8_t* scales, EncodeCounts* counts) {
  std::memset(codes, 0, layout.code_bytes(4));
  for_each_block(layout, [&](const BlockSpan& block) {
    const float absmax = absolute(block_extreme(source, x, block, counts));
    const Nvfp4Scale chosen = chosen_scale(spec, source, x, block, absmax);
    count_scale(chosen.scale, counts);
    scales[block.index] = absmax == 0 && spec.zero_scale_as_eighth ? kE4m3Eighth : chosen.byte;
    if (chosen.scale.value == 0) return;
    const float inverse = inverse_of(chosen.scale.value);
    uint8_t* row_codes = codes + block.row * layout.row_bytes(4);
    for (uint64_t i = 0; i < block.size; ++i)
      put_code(row_codes, block.col + i, 4, e2m1_from_f32(element(source, x, block.first + i) * inverse));
  });
}

void nvfp4_decode_cpu(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const uint8_t* scales, Float target, void* out, uint64_t* saturated) {
  for_each_block(layout, [&](const BlockSpan& block) {
    const float scale = nvfp4_scale_of(scales[block.index], spec.g);
    const uint8_t* row_codes = codes + block.row * layout.row_bytes(4);
    for (uint64_t i = 0; i < block.size; ++i) {
      const auto code = static_cast<uint8_t>(get_code(row_codes, block.col + i, 4));
      *saturated += store_decoded(target, out, block.first + i, f32_from_e2m1(code) * scale);
    }
  });
}

}  // namespace mlq::kernels
