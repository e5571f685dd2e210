// What the .cu files have in common: launching, teams of threads, and moving eight elements at a time. For
// device code only; tests compile it against an emulated CUDA too, so it keeps to the few names that has.
//
// All shuffles name all lanes, so loops around them run equally often for all lanes of a warp (of a CTA,
// where there is a barrier). Work is dealt in strides of the grid, which is never larger than what the device
// holds at once.
#pragma once

#include <cuda_runtime.h>

#include <type_traits>

#include "kernels/block_math.h"

namespace mlq::kernels::cuda {

inline constexpr unsigned kLanes = 32, kAllLanes = 0xffffffffu;
inline constexpr unsigned kThreads = 256;  // of every CTA

#define MLQ_KERNEL __global__ void __launch_bounds__(256)

// Launches as many CTAs as the device holds at once, or fewer if there is less to do. An error stays for
// cudaGetLastError().
template <class... Parameters>
void launch(void (*kernel)(Parameters...), uint64_t ctas, Stream stream,
            std::type_identity_t<Parameters>... arguments) {
  if (ctas == 0) return;
  int device = 0, processors = 1, resident = 1;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, kThreads, 0);
  const auto most = static_cast<uint64_t>(processors) * static_cast<unsigned>(resident > 0 ? resident : 1);
  cudaLaunchConfig_t config{};
  config.gridDim = dim3{static_cast<unsigned>(ctas < most ? ctas : most), 1, 1};
  config.blockDim = dim3{kThreads, 1, 1};
  config.stream = static_cast<cudaStream_t>(stream);
  cudaLaunchKernelEx(&config, kernel, arguments...);
}

MLQ_HOST_DEVICE constexpr uint64_t divided_up(uint64_t x, uint64_t by) { return (x + by - 1) / by; }

// CTAs for that many threads.
constexpr uint64_t ctas_for(uint64_t threads) { return divided_up(threads, kThreads); }

__device__ __forceinline__ unsigned lane() { return threadIdx.x % kLanes; }
__device__ __forceinline__ uint64_t grid_thread() { return uint64_t{blockIdx.x} * kThreads + threadIdx.x; }
__device__ __forceinline__ uint64_t grid_threads() { return uint64_t{gridDim.x} * kThreads; }

struct Largest {
  template <class T>
  __device__ __forceinline__ T operator()(T x, T y) const {
    return x > y ? x : y;
  }
};
struct Smallest {
  template <class T>
  __device__ __forceinline__ T operator()(T x, T y) const {
    return x < y ? x : y;
  }
};
struct Sum {
  template <class T>
  __device__ __forceinline__ T operator()(T x, T y) const {
    return x + y;
  }
};

// What `op`, whose order must not matter, makes of the values of a warp's lanes; every lane gets it.
template <class T, class Op>
__device__ __forceinline__ T over_warp(T value, Op op) {
#pragma unroll
  for (unsigned by = kLanes / 2; by > 0; by /= 2) value = op(value, __shfl_xor_sync(kAllLanes, value, by));
  return value;
}

// Threads that work on one thing together: a warp, or a whole CTA.
template <unsigned kMembers>
struct Team {
  static constexpr unsigned kSize = kMembers;
  static_assert(kSize == kLanes || kSize == kThreads);
  static constexpr unsigned kPerCta = kThreads / kSize;

  unsigned rank = threadIdx.x % kSize;
  uint64_t first = uint64_t{blockIdx.x} * kPerCta + threadIdx.x / kSize;  // its first thing to work on
  uint64_t stride = uint64_t{gridDim.x} * kPerCta;

  // What the team's threads read before is read before any of them goes on.
  __device__ __forceinline__ void wait() const {
    if constexpr (kSize > kLanes) {
      __syncthreads();
    } else {
      __syncwarp();
    }
  }

  // As over_warp().
  template <class T, class Op>
  __device__ __forceinline__ T all(T value, Op op) const {
    value = over_warp(value, op);
    if constexpr (kSize > kLanes) {
      __shared__ T of_warp[kSize / kLanes];
      __syncthreads();  // the last one is over
      if (lane() == 0) of_warp[threadIdx.x / kLanes] = value;
      __syncthreads();
      value = of_warp[0];
      for (unsigned i = 1; i < kSize / kLanes; ++i) value = op(value, of_warp[i]);
    }
    return value;
  }
};

__device__ __forceinline__ void add_to(uint64_t* at, uint64_t of_thread) {
  const uint64_t sum = over_warp(of_thread, Sum{});
  if (lane() == 0 && sum != 0)
    atomicAdd(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(sum));
}
// By all threads, at the end.
__device__ __forceinline__ void add_to(EncodeCounts* at, const EncodeCounts& of_thread) {
  add_to(&at->nonfinite, of_thread.nonfinite);
  add_to(&at->flushed_blocks, of_thread.flushed_blocks);
  add_to(&at->scale_overflow, of_thread.scale_overflow);
}
__device__ __forceinline__ void count_scale(const BlockScale& scale, EncodeCounts* met) {
  met->flushed_blocks += scale.flushed;
  met->scale_overflow += scale.overflow;
}

// The sum of term(0) ... term(n - 1), n a power of two, in the fixed tree of block_int.h, by all lanes; each
// gets it. Lane l has the terms l, l + 32 ...: taking them in bit-reversed order and adding like a binary
// counter makes the upper levels of the tree; shuffles make the last five.
template <class T, class Term>
__device__ __forceinline__ T folded_by_warp(unsigned n, const Term& term) {
  constexpr unsigned kLevels = 10;  // up to 32 * 512 terms
  const unsigned own = n < kLanes ? 1 : n / kLanes, bits = static_cast<unsigned>(__ffs(own)) - 1;
  T waiting[kLevels], sum = 0;
  for (unsigned r = 0; r < own; ++r) {
    const unsigned i = lane() + kLanes * (bits == 0 ? 0 : __brev(r) >> (32 - bits));
    sum = i < n ? term(i) : T{0};
    bool carried = true;
#pragma unroll
    for (unsigned level = 0; level < kLevels; ++level) {
      if (carried) {
        if ((r >> level) & 1u) {
          sum = waiting[level] + sum;
        } else {
          waiting[level] = sum;
          carried = false;
        }
      }
    }
  }
  for (unsigned by = (n < kLanes ? n : kLanes) / 2; by > 0; by /= 2)
    sum += __shfl_down_sync(kAllLanes, sum, by);
  return __shfl_sync(kAllLanes, sum, 0);
}

// The same in one thread's registers; destroys t. By recursion, so that every index is a constant.
template <unsigned kHalf, unsigned n>
__device__ __forceinline__ void fold(float (&t)[n]) {
  if constexpr (kHalf > 0) {
#pragma unroll
    for (unsigned i = 0; i < kHalf; ++i) t[i] += t[i + kHalf];
    fold<kHalf / 2>(t);
  }
}
template <unsigned n>
__device__ __forceinline__ float folded_by_thread(float (&t)[n]) {
  fold<n / 2>(t);
  return t[0];
}

// Eight elements, or fewer at the end of something, are what a thread takes at a time.
inline constexpr unsigned kUnit = 8;

__device__ __forceinline__ bool aligned_to(const void* at, unsigned bytes) {
  return reinterpret_cast<uintptr_t>(at) % bytes == 0;
}

__device__ __forceinline__ float widened(Float type, uint32_t bits) {
  return type == Float::f16 ? f32_from_f16(static_cast<uint16_t>(bits))
                            : f32_from_bf16(static_cast<uint16_t>(bits));
}

// Elements i ... i + n - 1 widened, the rest of the eight 0.
__device__ __forceinline__ void load_unit(Float source, const void* x, uint64_t i, unsigned n,
                                          float (&v)[kUnit]) {
  const auto* at = static_cast<const uint8_t*>(x) + i * size_of(source);
  if (n == kUnit && aligned_to(at, 16)) {
    const uint4 a = reinterpret_cast<const uint4*>(at)[0];
    const uint32_t word[4] = {a.x, a.y, a.z, a.w};
    if (source == Float::f32) {
      const uint4 b = reinterpret_cast<const uint4*>(at)[1];
      const uint32_t more[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (unsigned k = 0; k < 4; ++k) {
        v[k] = f32_from_bits(word[k]);
        v[4 + k] = f32_from_bits(more[k]);
      }
    } else {
#pragma unroll
      for (unsigned k = 0; k < 4; ++k) {
        v[2 * k] = widened(source, word[k] & 0xffffu);
        v[2 * k + 1] = widened(source, word[k] >> 16);
      }
    }
    return;
  }
#pragma unroll
  for (unsigned k = 0; k < kUnit; ++k) v[k] = k < n ? load(source, x, i + k) : 0.0f;
}

// Puts 0 for what is not finite; how many those were.
__device__ __forceinline__ unsigned make_finite(float (&v)[kUnit]) {
  unsigned found = 0;
#pragma unroll
  for (unsigned k = 0; k < kUnit; ++k) {
    found += !is_finite(v[k]);
    v[k] = finite_or_zero(v[k]);
  }
  return found;
}

// A product as store_decoded() takes it: cut to fp32's largest. Counts that.
__device__ __forceinline__ float decoded_float(float y, bool* cut) {
  *cut = magnitude_bits(y) == 0x7f800000u;
  return *cut ? (y < 0 ? -kLargestFloat : kLargestFloat) : y;
}

__device__ __forceinline__ uint32_t narrowed(Float type, float y) {
  return type == Float::f16 ? f16_from_f32(y) : bf16_from_f32(y);
}

// Stores the first n of eight values as elements i ..., rounded.
__device__ __forceinline__ void store_floats(Float target, void* out, uint64_t i, unsigned n,
                                             const float (&v)[kUnit]) {
  auto* at = static_cast<uint8_t*>(out) + i * size_of(target);
  if (n < kUnit || !aligned_to(at, 16)) {
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      if (k < n) store(target, out, i + k, v[k]);
    }
    return;
  }
  auto* words = reinterpret_cast<uint4*>(at);
  if (target == Float::f32) {
    words[0] = make_uint4(bits_of(v[0]), bits_of(v[1]), bits_of(v[2]), bits_of(v[3]));
    words[1] = make_uint4(bits_of(v[4]), bits_of(v[5]), bits_of(v[6]), bits_of(v[7]));
  } else {
    uint32_t word[4];
#pragma unroll
    for (unsigned k = 0; k < 4; ++k)
      word[k] = narrowed(target, v[2 * k]) | narrowed(target, v[2 * k + 1]) << 16;
    words[0] = make_uint4(word[0], word[1], word[2], word[3]);
  }
}

// Stores products as store_decoded() does; how many were cut to the target's largest.
__device__ __forceinline__ unsigned store_unit(Float target, void* out, uint64_t i, unsigned n,
                                               const float (&y)[kUnit]) {
  float v[kUnit];
  unsigned cut = 0;
#pragma unroll
  for (unsigned k = 0; k < kUnit; ++k) {
    bool beyond = false;
    v[k] = decoded_float(y[k], &beyond);
    cut += k < n && (beyond || saturates(target, v[k]));
  }
  store_floats(target, out, i, n, v);
  return cut;
}

// Eight codes of `bits` bits in a word, the first in the lowest bits.
__device__ __forceinline__ uint64_t put_codes(const unsigned (&code)[kUnit], unsigned bits) {
  uint64_t word = 0;
#pragma unroll
  for (unsigned k = 0; k < kUnit; ++k) word |= uint64_t{code[k]} << (k * bits);
  return word;
}
__device__ __forceinline__ unsigned get_code(uint64_t word, unsigned bits, unsigned k) {
  return static_cast<unsigned>(word >> (k * bits)) & ((1u << bits) - 1);
}

// The low bytes of a word to or from memory; eight or four at a time where they lie so.
__device__ __forceinline__ void store_bytes(uint8_t* at, uint64_t word, unsigned bytes) {
  if (bytes == 8 && aligned_to(at, 8)) {
    *reinterpret_cast<uint2*>(at) =
        make_uint2(static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32));
  } else if (bytes == 4 && aligned_to(at, 4)) {
    *reinterpret_cast<uint32_t*>(at) = static_cast<uint32_t>(word);
  } else {
    for (unsigned k = 0; k < bytes; ++k) at[k] = static_cast<uint8_t>(word >> (8 * k));
  }
}
__device__ __forceinline__ uint64_t load_bytes(const uint8_t* at, unsigned bytes) {
  if (bytes == 8 && aligned_to(at, 8)) {
    const uint2 a = *reinterpret_cast<const uint2*>(at);
    return uint64_t{a.y} << 32 | a.x;
  }
  if (bytes == 4 && aligned_to(at, 4)) return *reinterpret_cast<const uint32_t*>(at);
  uint64_t word = 0;
  for (unsigned k = 0; k < bytes; ++k) word |= uint64_t{at[k]} << (8 * k);
  return word;
}

// 4-bit codes with the first of each byte in its other half.
__device__ __forceinline__ uint64_t nibbles_swapped(uint64_t word) {
  constexpr uint64_t kLow = 0x0f0f0f0f0f0f0f0full;
  return (word & kLow) << 4 | (word >> 4 & kLow);
}

}  // namespace mlq::kernels::cuda
