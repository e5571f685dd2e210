// NVFP4: E2M1 codes in blocks of 16 with an E4M3 scale a block and one fp32 factor g a tensor. layout.block
// is 16.
//
// g = 448 * 6 / A_tensor (1 if A_tensor = 0); scale byte = e4m3((A / 6) * g); d = e4m3^-1(byte) / g; code =
// e2m1(x * (1 / d)); decoded code * d, rounded once to the target; d = 0 or below 2^-126: all codes 0. Four
// or six
// ("Four Over Six", 2025): g = 256 * 6 / A_tensor, the scale byte of A / 6 or of A / 4, whichever has the
// least sum of (decoded - x)^2 (fp32, folded in halves as in block_int.h); ties take A / 6.
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

struct Nvfp4Spec {
  float g = 1;
  bool four_or_six = false;
  bool zero_scale_as_eighth = false;  // compressed-tensors: an all-zero block has scale 0.125
};

inline constexpr uint64_t kNvfp4Block = 16;

// The factor of a tensor with that absmax; 1 as well where the quotient is no finite normal number.
float nvfp4_factor(bool four_or_six, float tensor_absmax);

// `codes`: layout.code_bytes(4), low nibble first; `scales`: layout.blocks() bytes of E4M3.
void nvfp4_encode_cpu(const Nvfp4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                      uint8_t* codes, uint8_t* scales, EncodeCounts* counts);
void nvfp4_encode_simd(const Nvfp4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                       uint8_t* codes, uint8_t* scales, EncodeCounts* counts);
void nvfp4_encode_cuda(const Nvfp4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                       uint8_t* codes, uint8_t* scales, EncodeCounts* counts, Stream stream);
void nvfp4_decode_cpu(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const uint8_t* scales, Float target, void* out, uint64_t* saturated);
void nvfp4_decode_simd(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                       const uint8_t* scales, Float target, void* out, uint64_t* saturated);
void nvfp4_decode_cuda(const Nvfp4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                       const uint8_t* scales, Float target, void* out, uint64_t* saturated, Stream stream);

}  // namespace mlq::kernels
