// FP8: E4M3 with a scale a block (or row, or tensor), and E5M2 as a plain cast.
//
// E4M3: s = R(A / 448); |s| < 2^-126 becomes 0 and all codes 0; code = e4m3(x * (1 / s)), saturating; decoded
// e4m3^-1(code) * s, rounded once to the target. E5M2: code = e5m2(x), cut at 57344; decoded exactly, no
// scales.
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

enum class Float8 : uint8_t { e4m3, e5m2 };

struct Float8Spec {
  Float8 type = Float8::e4m3;
  Float scale = Float::f32;
};

// `codes`: layout.elems() bytes; `scales`: layout.blocks() of spec.scale, unused by E5M2.
void float8_encode_cpu(const Float8Spec& spec, const BlockLayout& layout, Float source, const void* x,
                       uint8_t* codes, void* scales, EncodeCounts* counts);
void float8_encode_simd(const Float8Spec& spec, const BlockLayout& layout, Float source, const void* x,
                        uint8_t* codes, void* scales, EncodeCounts* counts);
void float8_encode_cuda(const Float8Spec& spec, const BlockLayout& layout, Float source, const void* x,
                        uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream);
// The scale of a block with that absmax, of spec.scale's precision.
float float8_scale(const Float8Spec& spec, float absmax, EncodeCounts* counts);
// E4M3 with one scale for all.
void float8_encode_scaled_cpu(uint64_t elems, Float source, const void* x, float scale, uint8_t* codes,
                              EncodeCounts* counts);
void float8_encode_scaled_simd(uint64_t elems, Float source, const void* x, float scale, uint8_t* codes,
                               EncodeCounts* counts);
void float8_encode_scaled_cuda(uint64_t elems, Float source, const void* x, float scale, uint8_t* codes,
                               EncodeCounts* counts, Stream stream);
void float8_decode_cpu(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                       const void* scales, Float target, void* out, uint64_t* saturated);
void float8_decode_simd(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                        const void* scales, Float target, void* out, uint64_t* saturated);
void float8_decode_cuda(const Float8Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                        const void* scales, Float target, void* out, uint64_t* saturated, Stream stream);

}  // namespace mlq::kernels
