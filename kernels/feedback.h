// Error feedback: what rounding took away from a tensor, its residual, is added to what is encoded next
// (Seide, Fu, Droppo, Li, Yu, "1-bit stochastic gradient descent and its application to data-parallel
// distributed training of speech DNNs", Interspeech 2014, section 3).
//
// An element at a time, in fp32 with one rounding an operation:
//   compensated  x = w + beta * residual    what is not finite is the NaN 0x7fc00000
//   residual     x - held                   x that is not finite counts as +0, as the encoder took it
#pragma once

#include "kernels/layout.h"

namespace mlq::kernels {

// `residual` is finite. `x` may be `residual`.
void feedback_compensate_cpu(uint64_t elems, Float source, const void* w, float beta, const float* residual,
                             float* x);
void feedback_compensate_simd(uint64_t elems, Float source, const void* w, float beta, const float* residual,
                              float* x);
void feedback_compensate_cuda(uint64_t elems, Float source, const void* w, float beta, const float* residual,
                              float* x, Stream stream);

// `held`, which is finite: what receivers decoded of x. `residual` may be `x`.
void feedback_residual_cpu(uint64_t elems, const float* x, Float held_type, const void* held,
                           float* residual);
void feedback_residual_simd(uint64_t elems, const float* x, Float held_type, const void* held,
                            float* residual);
void feedback_residual_cuda(uint64_t elems, const float* x, Float held_type, const void* held,
                            float* residual, Stream stream);

}  // namespace mlq::kernels
