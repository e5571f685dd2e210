// NF4 and FP4: 4-bit codes into a table of 16 values, scaled by the block's absmax.
//
// NF4: Dettmers et al., "QLoRA", 2023, appendix E; FP4 and both sets of thresholds: bitsandbytes. With A =
// max |x| of the block and a = R(A) in the scale's type, v = x * (1 / a): NF4's code is the number of
// midpoints between neighbours of the table (in bitsandbytes' digits) that are strictly below v; FP4's is the
// magnitude by bitsandbytes' own thresholds (strictly above) and the sign bit 8 where v < 0. a < 2^-126
// becomes 0 and every v 0 (NF4: code 7). Decoded: table[code] * a, rounded once to the target (saturating).
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

enum class Table4 : uint8_t { nf4, fp4 };

struct Lut4Spec {
  Table4 table = Table4::nf4;
  Float scale = Float::bf16;
  NibbleOrder order = NibbleOrder::low_first;
};

// The 16 values by code.
const float* lut4_values(Table4 table);

// As block_int's; codes: layout.code_bytes(4), the unused half of a row's last byte 0.
void lut4_encode_cpu(const Lut4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                     uint8_t* codes, void* scales, EncodeCounts* counts);
void lut4_encode_simd(const Lut4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                      uint8_t* codes, void* scales, EncodeCounts* counts);
void lut4_encode_cuda(const Lut4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                      uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream);
void lut4_decode_cpu(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                     const void* scales, Float target, void* out, uint64_t* saturated);
void lut4_decode_simd(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const void* scales, Float target, void* out, uint64_t* saturated);
void lut4_decode_cuda(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const void* scales, Float target, void* out, uint64_t* saturated, Stream stream);

}  // namespace mlq::kernels
