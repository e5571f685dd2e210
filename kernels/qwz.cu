#include "kernels/cuda_block_int.h"
#include "kernels/qwz_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

struct QwzCodec : BlockIntCodec<0> {
  template <class Team, class Values>
  __device__ __forceinline__ Chosen choose(const Team&, float extreme, const Values&,
                                           const BlockSpan&) const {
    return {qwz_scale_of(spec, extreme)};
  }
};

}  // namespace

void qwz_encode_cuda(const BlockIntSpec& spec, const BlockLayout& layout, Float source, const void* x,
                     uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream) {
  launch_encode_blocks(QwzCodec{{spec}}, layout, 0, source, x, codes, scales, counts, stream);
}

}  // namespace mlq::kernels
