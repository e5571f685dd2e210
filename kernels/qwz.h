// Block integers with the scale of ZeRO++'s gather of quantised weights, to compare with (qwZ: Wang et al.,
// "ZeRO++: extremely efficient collective communication for giant model training", arXiv 2306.10209, section
// 3.1, and the quantisers of DeepSpeed): in the letters of block_int.h s = R(2 A / 2^bits), so that a
// positive extreme is cut from 2^(bits-1) to the largest code. Decoded as block_int's codes.
#pragma once

#include "kernels/block_int.h"

namespace mlq::kernels {

// As block_int_encode; of spec.grid only the range of codes is taken.
void qwz_encode_cpu(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                    uint8_t* codes, void* scales, EncodeCounts* counts);
void qwz_encode_simd(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                     uint8_t* codes, void* scales, EncodeCounts* counts);
void qwz_encode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                     uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream);

}  // namespace mlq::kernels
