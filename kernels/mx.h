// MXFP8 (E4M3) and MXFP4 (E2M1): blocks of 32 with a power of two as scale, one E8M0 byte (OCP Microscaling
// Formats 1.0). layout.block is 32.
//
// With A = max |x| and emax = 8 (E4M3) or 2 (E2M1), the exponent is e = floor(log2 A) - emax; `even` adds 1
// where the mantissa of A is >= 1.75; `best` takes e or e + 1, whichever has the least sum of (decoded - x)^2
// (fp32, folded in halves as in block_int.h; ties take e). e is kept in -127 ... 127, where fp32 has every
// 2^e; an all-zero block has scale byte 0 and codes 0. Element codes: e4m3 or e2m1 of x * 2^-e, saturating,
// -0 with its sign; decoded value * 2^e, rounded once to the target.
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

enum class MxElement : uint8_t { e4m3, e2m1 };
enum class MxScale : uint8_t { floor, even, best };

struct MxSpec {
  MxElement element = MxElement::e2m1;
  MxScale scale = MxScale::best;
};

inline constexpr uint64_t kMxBlock = 32;

// `codes`: E4M3 a byte, E2M1 packed low nibble first (layout.code_bytes(4)); `scales`: layout.blocks() bytes.
void mx_encode_cpu(const MxSpec& spec, const BlockLayout& layout, Float source, const void* x, uint8_t* codes,
                   uint8_t* scales, EncodeCounts* counts);
void mx_encode_simd(const MxSpec& spec, const BlockLayout& layout, Float source, const void* x,
                    uint8_t* codes, uint8_t* scales, EncodeCounts* counts);
void mx_encode_cuda(const MxSpec& spec, const BlockLayout& layout, Float source, const void* x,
                    uint8_t* codes, uint8_t* scales, EncodeCounts* counts, Stream stream);
void mx_decode_cpu(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes, const uint8_t* scales,
                   Float target, void* out, uint64_t* saturated);
void mx_decode_simd(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                    const uint8_t* scales, Float target, void* out, uint64_t* saturated);
void mx_decode_cuda(const MxSpec& spec, const BlockLayout& layout, const uint8_t* codes,
                    const uint8_t* scales, Float target, void* out, uint64_t* saturated, Stream stream);

}  // namespace mlq::kernels
