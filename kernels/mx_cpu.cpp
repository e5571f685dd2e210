#include "kernels/block_walk.h"
#include "kernels/mx_math.h"

namespace mlq::kernels {
namespace {

float element(Float source, const void* x, uint64_t i) { return finite_or_zero(load(source, x, i)); }

float exponent_error(MxElement type, Float source, const void* x, const BlockSpan& block, int e) {
  const float scale = power_of_two(e), inverse = power_of_two(-e);
  float errors[kMxBlock] = {};
  for (uint64_t i = 0; i < block.size; ++i) {
    const float v = element(source, x, block.first + i);
    errors[i] = squared_error(mx_value(type, mx_code(type, v, inverse), scale), v);
  }
  return folded(errors, kMxBlock);
}

int block_exponent(const MxSpec& spec, Float source, const void* x, const BlockSpan& block, float absmax) {
  const int e = mx_exponent(spec.element, absmax, spec.scale == MxScale::even ? mx_even_step(absmax) : 0);
  if (spec.scale != MxScale::best) return e;
  const int above = mx_exponent(spec.element, absmax, 1);
  return exponent_error(spec.element, source, x, block, above) <
                 exponent_error(spec.element, source, x, block, e)
             ? above
             : e;
}

}  // namespace

void mx_encode_cpu(const MxSpec& spec, const BlockLayout& layout, Float source, const void* x, uint8_t* codes,
                   uint8_t* scales, EncodeCounts* counts) {
  const unsigned bits = spec.element == MxElement::e4m3 ? 8 : 4;
  std::memset(codes, 0, layout.code_bytes(bits));
  for_each_block(layout, [&](const BlockSpan& block) {
    const float absmax = absolute(block_extreme(source, x, block, counts));
    scales[block.index] = 0;
    if (absmax == 0) return;
    const int e = block_exponent(spec, source, x, block, absmax);
    scales[block.index] = static_cast<uint8_t>(e + 127);
    const float inverse = power_of_two(-e);
    uint8_t* row_codes = codes + block.row * layout.row_bytes(bits);
    for (uint64_t i = 0; i < block.size; ++i)
      put_code(row_codes, block.col + i, bits,
               mx_code(spec.element, element(source, x, block.first + i), inverse));
  });
}

void mx_decode_cpu(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes, const uint8_t* scales,
                   Float target, void* out, uint64_t* saturated) {
  const unsigned bits = spec.element == MxElement::e4m3 ? 8 : 4;
  for_each_block(layout, [&](const BlockSpan& block) {
    const float scale = f32_from_e8m0(scales[block.index]);
    const uint8_t* row_codes = codes + block.row * layout.row_bytes(bits);
    for (uint64_t i = 0; i < block.size; ++i) {
      const auto code = static_cast<uint8_t>(get_code(row_codes, block.col + i, bits));
      *saturated += store_decoded(target, out, block.first + i, mx_value(spec.element, code, scale));
    }
  });
}

}  // namespace mlq::kernels
