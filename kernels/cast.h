// Conversion of whole arrays between fp32, fp16 and bfloat16: nearest even, finite values beyond the target's
// range cut to its largest and counted.
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

void cast_cpu(uint64_t elems, Float source, const void* x, Float target, void* out, uint64_t* saturated);
void cast_simd(uint64_t elems, Float source, const void* x, Float target, void* out, uint64_t* saturated);
void cast_cuda(uint64_t elems, Float source, const void* x, Float target, void* out, uint64_t* saturated,
               Stream stream);

// Adds the number of elements that are NaN or infinite to *nonfinite.
void count_nonfinite_cpu(uint64_t elems, Float source, const void* x, uint64_t* nonfinite);
void count_nonfinite_simd(uint64_t elems, Float source, const void* x, uint64_t* nonfinite);
void count_nonfinite_cuda(uint64_t elems, Float source, const void* x, uint64_t* nonfinite, Stream stream);

}  // namespace mlq::kernels
