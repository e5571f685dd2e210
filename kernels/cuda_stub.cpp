// The device's names in a build without CUDA. Nobody has device pointers to call them with.
#include <cstdlib>

#include "kernels/block_int.h"
#include "kernels/cast.h"
#include "kernels/delta.h"
#include "kernels/dither.h"
#include "kernels/ec.h"
#include "kernels/feedback.h"
#include "kernels/float8.h"
#include "kernels/gram_block.h"
#include "kernels/lut4.h"
#include "kernels/mx.h"
#include "kernels/nvfp4.h"
#include "kernels/ordered_diff.h"
#include "kernels/qwz.h"
#include "kernels/sums.h"
#include "kernels/xxh3_leaves.h"

namespace mlq::kernels {

void block_int_encode_cuda(const BlockIntSpec&, const BlockLayout&, Float, const void*, uint8_t*, void*,
                           EncodeCounts*, Stream) {
  std::abort();
}
void block_int_encode_scaled_cuda(const BlockIntSpec&, const BlockLayout&, Float, const void*, float,
                                  uint8_t*, EncodeCounts*, Stream) {
  std::abort();
}
void block_int_decode_cuda(const BlockIntSpec&, const BlockLayout&, const uint8_t*, const void*, Float, void*,
                           uint64_t*, Stream) {
  std::abort();
}
void cast_cuda(uint64_t, Float, const void*, Float, void*, uint64_t*, Stream) { std::abort(); }
void count_nonfinite_cuda(uint64_t, Float, const void*, uint64_t*, Stream) { std::abort(); }
void delta_encode_cuda(const BlockIntSpec&, const BlockLayout&, Float, const void*, Float, void*, uint8_t*,
                       void*, EncodeCounts*, uint64_t*, Stream) {
  std::abort();
}
void delta_apply_cuda(const BlockIntSpec&, const BlockLayout&, const uint8_t*, const void*, Float, void*,
                      uint64_t*, Stream) {
  std::abort();
}
void dither_encode_cuda(const BlockIntSpec&, const BlockLayout&, const DitherKey&, uint64_t, Float,
                        const void*, uint8_t*, void*, EncodeCounts*, Stream) {
  std::abort();
}
void dither_decode_cuda(const BlockIntSpec&, const BlockLayout&, const DitherKey&, uint64_t, const uint8_t*,
                        const void*, Float, void*, uint64_t*, Stream) {
  std::abort();
}
void ec_encode_cuda(float, uint64_t, Float, const void*, uint8_t*, uint8_t*, void*, uint64_t*, void*,
                    EncodeCounts*, Stream) {
  std::abort();
}
void ec_decode_cuda(float, uint64_t, const uint8_t*, const uint8_t*, Float, const void*, Float, void*, void*,
                    uint64_t*, Stream) {
  std::abort();
}
void feedback_compensate_cuda(uint64_t, Float, const void*, float, const float*, float*, Stream) {
  std::abort();
}
void feedback_residual_cuda(uint64_t, const float*, Float, const void*, float*, Stream) { std::abort(); }
void float8_encode_cuda(const Float8Spec&, const BlockLayout&, Float, const void*, uint8_t*, void*,
                        EncodeCounts*, Stream) {
  std::abort();
}
void float8_encode_scaled_cuda(uint64_t, Float, const void*, float, uint8_t*, EncodeCounts*, Stream) {
  std::abort();
}
void float8_decode_cuda(const Float8Spec&, const BlockLayout&, const uint8_t*, const void*, Float, void*,
                        uint64_t*, Stream) {
  std::abort();
}
void lut4_encode_cuda(const Lut4Spec&, const BlockLayout&, Float, const void*, uint8_t*, void*, EncodeCounts*,
                      Stream) {
  std::abort();
}
void lut4_decode_cuda(const Lut4Spec&, const BlockLayout&, const uint8_t*, const void*, Float, void*,
                      uint64_t*, Stream) {
  std::abort();
}
void mx_encode_cuda(const MxSpec&, const BlockLayout&, Float, const void*, uint8_t*, uint8_t*, EncodeCounts*,
                    Stream) {
  std::abort();
}
void mx_decode_cuda(const MxSpec&, const BlockLayout&, const uint8_t*, const uint8_t*, Float, void*,
                    uint64_t*, Stream) {
  std::abort();
}
void nvfp4_encode_cuda(const Nvfp4Spec&, const BlockLayout&, Float, const void*, uint8_t*, uint8_t*,
                       EncodeCounts*, Stream) {
  std::abort();
}
void nvfp4_decode_cuda(const Nvfp4Spec&, const BlockLayout&, const uint8_t*, const uint8_t*, Float, void*,
                       uint64_t*, Stream) {
  std::abort();
}
void ordered_diff_cuda(WordKind, uint64_t, const void*, const void*, uint8_t*, uint8_t*, uint64_t, uint64_t*,
                       void*, Stream) {
  std::abort();
}
void ordered_patch_cuda(WordKind, uint64_t, const uint8_t*, const uint8_t*, uint64_t, void*, void*, Stream) {
  std::abort();
}
void xor_planes_cuda(unsigned, uint64_t, const void*, const void*, uint8_t*, Stream) { std::abort(); }
void xor_unplanes_cuda(unsigned, uint64_t, const uint8_t*, void*, Stream) { std::abort(); }
void gram_blocks_cuda(const GramGroups&, uint64_t, double*, NonFinite*, Stream) { std::abort(); }
void qwz_encode_cuda(const BlockIntSpec&, const BlockLayout&, Float, const void*, uint8_t*, void*,
                     EncodeCounts*, Stream) {
  std::abort();
}
void value_sums_cuda(uint64_t, Float, const void*, ValueSums*, Stream) { std::abort(); }
void error_sums_cuda(uint64_t, Float, const void*, Float, const void*, ErrorSums*, Stream) { std::abort(); }
void xxh3_leaves_cuda(const void*, uint64_t, uint8_t*, Stream) { std::abort(); }
uint64_t ec_scratch_bytes(uint64_t) { return 0; }
uint64_t ordered_diff_scratch_bytes(uint64_t) { return 0; }

}  // namespace mlq::kernels
