#include "kernels/cuda_flat.h"
#include "kernels/lut4_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

// Compared with by all lanes alike: constant memory. Looked up by each lane for itself: global memory, which
// the first level cache holds.
__constant__ Nf4Midpoints device_midpoints = kNf4Midpoints;
__constant__ Fp4Steps device_steps = kFp4Steps;
__device__ const Lut4Values device_values[2] = {kNf4Values, kFp4Values};

struct Lut4Codec {
  struct Chosen {
    BlockScale scale;
  };
  Lut4Spec spec;

  MLQ_HOST_DEVICE unsigned bits() const { return 4; }
  bool searches() const { return false; }

  template <class Team>
  __device__ __forceinline__ Chosen choose(const Team&, float extreme, const StoredValues&,
                                           const BlockSpan&) const {
    const float absmax = absolute(extreme);
    return {block_scale(spec.scale, absmax, absmax)};
  }
  __device__ __forceinline__ void put(void* scales, uint64_t block, const Chosen& chosen) const {
    store(spec.scale, scales, block, chosen.scale.value);
  }
  __device__ __forceinline__ float inverse(const Chosen& chosen) const {
    return inverse_of(chosen.scale.value);
  }
  __device__ __forceinline__ unsigned code(float x, float inverse) const {
    return spec.table == Table4::nf4 ? nf4_code(device_midpoints, x * inverse)
                                     : fp4_code(device_steps, x * inverse);
  }
  __device__ __forceinline__ float scale_at(const void* scales, uint64_t block) const {
    return load(spec.scale, scales, block);
  }
  __device__ __forceinline__ float value(unsigned code, float scale) const {
    return device_values[spec.table == Table4::nf4 ? 0 : 1].at[code] * scale;
  }
  __device__ __forceinline__ uint64_t arranged(uint64_t word) const {
    return spec.order == NibbleOrder::low_first ? word : nibbles_swapped(word);
  }
};

// For the fast way. Encoding looks up instead of comparing with all steps: the axis is cut into bins of 1/14,
// of which none has two steps and whose borders are no steps; a bin knows its step and the codes on either
// side. (14 v, rounded to a whole number, names the bin; NF4's v has its sign, FP4's has not.)
constexpr unsigned kBins = 32;
constexpr float kPerUnit = 14.0f, kBeyond = 1.05f;  // beyond it the codes do not change any more

struct Bin {
  float step;  // the upper code is for what is strictly above
  uint32_t lower, upper;
};

// Bin i of those whose number is i modulo 32.
constexpr Bin bin_of(Table4 table, unsigned i) {
  const int number = i < kBins / 2 ? static_cast<int>(i) : static_cast<int>(i) - static_cast<int>(kBins);
  const float low = (static_cast<float>(number) - 0.5f) / kPerUnit;
  const float high = (static_cast<float>(number) + 0.5f) / kPerUnit;
  if (table == Table4::nf4) {
    const uint32_t code = nf4_code(kNf4Midpoints, low);
    return {code < 15 ? kNf4Midpoints.at[code] : high, code, nf4_code(kNf4Midpoints, high)};
  }
  if (number < 0) return {0, 0, 0};
  const uint32_t lower = fp4_code(kFp4Steps, number == 0 ? 0.0f : low), upper = fp4_code(kFp4Steps, high);
  float step = high;
  for (const float above : kFp4Steps.above) {
    if (low < above && above < high) step = above;
  }
  return {step, lower, upper};
}

struct Bins {
  float step[kBins];
  uint32_t codes[kBins];  // the lower code, and the upper 16 bits higher
};
constexpr Bins bins_of(Table4 table) {
  Bins out{};
  for (unsigned i = 0; i < kBins; ++i) {
    const Bin bin = bin_of(table, i);
    out.step[i] = bin.step;
    out.codes[i] = bin.lower | bin.upper << 16;
  }
  return out;
}
__device__ const Bins device_bins[2] = {bins_of(Table4::nf4), bins_of(Table4::fp4)};

template <Table4 kTable>
struct FastLut4Codec : Lut4Codec {
  static constexpr unsigned kCodeBits = 4;
  static constexpr unsigned kIndex = kTable == Table4::nf4 ? 0 : 1;

  __device__ __forceinline__ bool wants_sign() const { return false; }
  __device__ __forceinline__ Float scale_type() const { return spec.scale; }
  __device__ __forceinline__ BlockScale scale_of(float absmax) const {
    return block_scale(spec.scale, absmax, absmax);
  }
  __device__ __forceinline__ const Bins* prepare() const {
    __shared__ Bins bins;
    if (threadIdx.x < kBins) {
      bins.step[threadIdx.x] = device_bins[kIndex].step[threadIdx.x];
      bins.codes[threadIdx.x] = device_bins[kIndex].codes[threadIdx.x];
    }
    __syncthreads();
    return &bins;
  }
  __device__ __forceinline__ uint64_t packed(const Bins* bins, const float (&v)[kUnit], float inverse) const {
    uint32_t word = 0;
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      const float x = v[k] * inverse;
      const float at = kTable == Table4::nf4 ? fminf(fmaxf(x, -kBeyond), kBeyond) : fminf(fabsf(x), kBeyond);
      const unsigned bin = bits_of(at * kPerUnit + 12582912.0f) % kBins;
      const uint32_t code = bins->codes[bin] >> (at > bins->step[bin] ? 16 : 0) & 15u;
      word |= (kTable == Table4::fp4 && x < 0 ? code | 8u : code) << (4 * k);
    }
    return word;
  }

  __device__ __forceinline__ const float* prepare_values() const {
    __shared__ float values[16];
    if (threadIdx.x < 16) values[threadIdx.x] = device_values[kIndex].at[threadIdx.x];
    __syncthreads();
    return values;
  }
  __device__ __forceinline__ void values(const float* value_of, uint64_t word, float scale,
                                         float (&y)[kUnit]) const {
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) y[k] = value_of[get_code(word, 4, k)] * scale;
  }
};

}  // namespace

void lut4_encode_cuda(const Lut4Spec& spec, const BlockLayout& layout, Float source, const void* x,
                      uint8_t* codes, void* scales, EncodeCounts* counts, Stream stream) {
  const Lut4Codec any{spec};
  if (spec.table == Table4::nf4) {
    launch_encode(FastLut4Codec<Table4::nf4>{any}, any, layout, source, x, codes, scales, counts, stream);
  } else {
    launch_encode(FastLut4Codec<Table4::fp4>{any}, any, layout, source, x, codes, scales, counts, stream);
  }
}

void lut4_decode_cuda(const Lut4Spec& spec, const BlockLayout& layout, const uint8_t* codes,
                      const void* scales, Float target, void* out, uint64_t* saturated, Stream stream) {
  const Lut4Codec any{spec};
  if (spec.table == Table4::nf4) {
    launch_decode(FastLut4Codec<Table4::nf4>{any}, any, layout, codes, scales, target, out, saturated,
                  stream);
  } else {
    launch_decode(FastLut4Codec<Table4::fp4>{any}, any, layout, codes, scales, target, out, saturated,
                  stream);
  }
}

}  // namespace mlq::kernels
