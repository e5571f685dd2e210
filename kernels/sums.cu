// A CTA a group of 4096 elements: thread t has the elements t, t + 256 ..., so that the upper four levels of
// the tree are in its registers, the next three between warps and the last five between lanes.
#include "kernels/sums.h"

#include "kernels/cuda_common.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

constexpr unsigned kEach = kSumGroup / kThreads, kWarps = kThreads / kLanes;

// Several sums that go the same way.
template <unsigned n>
struct Sums {
  double at[n];
  __device__ __forceinline__ friend Sums operator+(Sums x, const Sums& y) {
#pragma unroll
    for (unsigned i = 0; i < n; ++i) x.at[i] += y.at[i];
    return x;
  }
};

// term(kFirst) and every kStep-th after it, in halves.
template <unsigned kFirst, unsigned kStep, class Term>
__device__ __forceinline__ auto folded_terms(const Term& term) {
  if constexpr (kStep == kEach) {
    return term(kFirst);
  } else {
    return folded_terms<kFirst, 2 * kStep>(term) + folded_terms<kFirst + kStep, 2 * kStep>(term);
  }
}

// The fold of the threads' sums; in thread 0.
template <unsigned n>
__device__ __forceinline__ Sums<n> folded_over_cta(const Sums<n>& of_thread) {
  static_assert(kWarps == 8);
  __shared__ Sums<n> given[kThreads];
  __syncthreads();  // the last group is over
  given[threadIdx.x] = of_thread;
  __syncthreads();
  const auto of = [&](unsigned warp) { return given[warp * kLanes + lane()]; };
  Sums<n> sum =
      ((of(0) + of(4)) + (of(2) + of(6))) + ((of(1) + of(5)) + (of(3) + of(7)));  // every warp does the same
#pragma unroll
  for (unsigned by = kLanes / 2; by > 0; by /= 2) {
    Sums<n> other;
#pragma unroll
    for (unsigned i = 0; i < n; ++i) other.at[i] = __shfl_down_sync(kAllLanes, sum.at[i], by);
    sum = sum + other;
  }
  return sum;
}

// Whether element i is subnormal in its type.
__device__ __forceinline__ bool subnormal(Float source, const void* x, uint64_t i) {
  if (source == Float::f32) {
    const uint32_t bits = static_cast<const uint32_t*>(x)[i] & 0x7fffffffu;
    return bits != 0 && bits < 0x00800000u;
  }
  const uint32_t bits = static_cast<const uint16_t*>(x)[i] & 0x7fffu;
  return bits != 0 && bits < (source == Float::f16 ? 0x0400u : 0x0080u);
}

__device__ __forceinline__ float positive_zero(float x) { return x == 0 ? 0.0f : x; }

MLQ_KERNEL value_groups(uint64_t elems, Float source, const void* x, ValueSums* sums) {
  const Team<kThreads> cta;
  const uint64_t groups = divided_up(elems, kSumGroup);
  for (uint64_t group = cta.first; group < groups; group += cta.stride) {
    const uint64_t first = group * kSumGroup;
    const auto size = static_cast<unsigned>(elems - first < kSumGroup ? elems - first : kSumGroup);
    uint32_t nan = 0, inf = 0, zero = 0, small = 0;
    float least = kLargestFloat, most = -kLargestFloat;
    // The magnitude, and in the low half what makes the first of equals the largest.
    uint64_t extreme = 0;
    const Sums<4> folded = folded_terms<0, 1>([&](unsigned k) -> Sums<4> {
      const unsigned i = threadIdx.x + kThreads * k;
      if (i >= size) return {};
      const float raw = load(source, x, first + i);
      const uint32_t magnitude = magnitude_bits(raw);
      nan += magnitude > 0x7f800000u;
      inf += magnitude == 0x7f800000u;
      zero += magnitude == 0;
      small += subnormal(source, x, first + i);
      const float v = finite_or_zero(raw);
      least = v < least ? v : least;
      most = v > most ? v : most;
      extreme = Largest{}(extreme, uint64_t{magnitude_bits(v)} << 32 | (kSumGroup - 1 - i));
      const double d = v, d2 = d * d;
      return {{d, d2, d2 * d, d2 * d2}};
    });
    const Sums<4> total = folded_over_cta(folded);
    ValueSums out;
    out.min = positive_zero(cta.all(least, Smallest{}));
    out.max = positive_zero(cta.all(most, Largest{}));
    out.nan = cta.all(nan, Sum{});
    out.inf = cta.all(inf, Sum{});
    out.zero = cta.all(zero, Sum{});
    out.subnormal = cta.all(small, Sum{});
    extreme = cta.all(extreme, Largest{});
    if (cta.rank == 0) {
      out.x1 = total.at[0];
      out.x2 = total.at[1];
      out.x3 = total.at[2];
      out.x4 = total.at[3];
      const uint64_t at = first + (kSumGroup - 1 - (extreme & 0xffffffffu));
      out.extreme = extreme >> 32 == 0 ? 0.0f : load(source, x, at);
      sums[group] = out;
    }
  }
}

MLQ_KERNEL error_groups(uint64_t elems, Float source, const void* x, Float target, const void* y,
                        ErrorSums* sums) {
  const Team<kThreads> cta;
  const uint64_t groups = divided_up(elems, kSumGroup);
  for (uint64_t group = cta.first; group < groups; group += cta.stride) {
    const uint64_t first = group * kSumGroup;
    const auto size = static_cast<unsigned>(elems - first < kSumGroup ? elems - first : kSumGroup);
    uint32_t absmax = 0;
    double largest = 0;
    const Sums<3> folded = folded_terms<0, 1>([&](unsigned k) -> Sums<3> {
      const unsigned i = threadIdx.x + kThreads * k;
      if (i >= size) return {};
      const float v = finite_or_zero(load(source, x, first + i));
      const double d = v, e = static_cast<double>(finite_or_zero(load(target, y, first + i))) - d;
      absmax = Largest{}(absmax, magnitude_bits(v));
      largest = Largest{}(largest, e < 0 ? -e : e);
      return {{d * d, e, e * e}};
    });
    const Sums<3> total = folded_over_cta(folded);
    absmax = cta.all(absmax, Largest{});
    largest = cta.all(largest, Largest{});
    if (cta.rank == 0)
      sums[group] = {total.at[0], total.at[1], total.at[2], f32_from_bits(absmax),
                     static_cast<float>(largest)};
  }
}

}  // namespace

void value_sums_cuda(uint64_t elems, Float source, const void* x, ValueSums* sums, Stream stream) {
  launch(value_groups, divided_up(elems, kSumGroup), stream, elems, source, x, sums);
}

void error_sums_cuda(uint64_t elems, Float source, const void* x, Float target, const void* y,
                     ErrorSums* sums, Stream stream) {
  launch(error_groups, divided_up(elems, kSumGroup), stream, elems, source, x, target, y, sums);
}

}  // namespace mlq::kernels
