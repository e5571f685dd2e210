// A CTA a block: half a warp takes four neighbouring strips, a lane of it one lane of theirs, so that the
// lower two levels of the tree over strips are in its registers and the other four between half-warps. Two
// groups are read once; more by tiles of two rows and two columns, which find them in the cache.
#include "kernels/cuda_common.h"
#include "kernels/gram_block_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

constexpr unsigned kHalves = kThreads / kGramLanes, kStripsEach = kGramStrips / kHalves;
static_assert(kStripsEach == 4);
constexpr unsigned kTile = 4;  // sums that are made at a time

struct Tile {
  double at[kTile] = {};
  __device__ __forceinline__ friend Tile operator+(Tile x, const Tile& y) {
#pragma unroll
    for (unsigned i = 0; i < kTile; ++i) x.at[i] += y.at[i];
    return x;
  }
};

template <GramType kType>
__device__ __forceinline__ double element_of(const void* data, uint64_t i) {
  if constexpr (kType == GramType::f32) return static_cast<const float*>(data)[i];
  if constexpr (kType == GramType::f16) return f32_from_f16(static_cast<const uint16_t*>(data)[i]);
  if constexpr (kType == GramType::bf16) return f32_from_bf16(static_cast<const uint16_t*>(data)[i]);
  if constexpr (kType == GramType::f64) return static_cast<const double*>(data)[i];
  if constexpr (kType == GramType::e4m3) return f32_from_e4m3(static_cast<const uint8_t*>(data)[i]);
  if constexpr (kType == GramType::e5m2) return f32_from_e5m2(static_cast<const uint8_t*>(data)[i]);
}

// The sums over the block at `first`, of `size` elements, in thread 0. add(sums, i) adds element i's part.
template <class Add>
__device__ __forceinline__ Tile block_sums(uint64_t first, uint64_t size, const Add& add) {
  const unsigned lane_of_strip = threadIdx.x % kGramLanes, half = threadIdx.x / kGramLanes;
  const auto strip_sums = [&](unsigned strip) {
    Tile sums;
    const uint64_t begin = (uint64_t{half} * kStripsEach + strip) * kGramStrip;
    if (begin + kGramStrip <= size) {
#pragma unroll 8
      for (unsigned i = 0; i < kGramStrip; i += kGramLanes) add(sums, first + begin + i + lane_of_strip);
    } else {
      for (uint64_t i = begin + lane_of_strip; i < begin + kGramStrip && i < size; i += kGramLanes)
        add(sums, first + i);
    }
    return sums;
  };
  __shared__ Tile of_thread[kThreads];
  __syncthreads();  // the last ones are read
  of_thread[threadIdx.x] = folded_neighbours<kStripsEach>(strip_sums);
  __syncthreads();
  Tile of_lane;
  if (threadIdx.x < kGramLanes)
    of_lane = folded_neighbours<kHalves>([&](unsigned h) { return of_thread[h * kGramLanes + threadIdx.x]; });
  __syncthreads();
  if (threadIdx.x < kGramLanes) of_thread[threadIdx.x] = of_lane;
  __syncthreads();
  return folded_neighbours<kGramLanes>([&](unsigned l) { return of_thread[l]; });
}

// The same for threads that all find the same: makes a block's sums NaN if its elements are not all finite.
template <GramType kType>
__device__ void note_nonfinite_of(const GramGroups& groups, uint64_t first, uint64_t size, double* sums,
                                  NonFinite* nonfinite) {
  const Team<kThreads> cta;
  uint64_t found = 0;
  for (unsigned group = 0; group < groups.count; ++group) {
    uint64_t count = 0, least = ~uint64_t{0};
    for (uint64_t i = first + threadIdx.x; i < first + size; i += kThreads) {
      if (is_finite(element_of<kType>(groups.data[group], i))) continue;
      ++count;
      least = Smallest{}(least, i);
    }
    count = cta.all(count, Sum{});
    least = cta.all(least, Smallest{});
    found += count;
    if (threadIdx.x != 0 || count == 0) continue;
    atomicAdd(reinterpret_cast<unsigned long long*>(&nonfinite[group].count),
              static_cast<unsigned long long>(count));
    atomicMin(reinterpret_cast<unsigned long long*>(&nonfinite[group].first),
              static_cast<unsigned long long>(least));
  }
  if (found == 0) return;
  for (unsigned i = threadIdx.x; i < gram_sums(groups.count); i += kThreads) sums[i] = kGramNaN;
}

// `n` sums to their places; in thread 0. Places of ~0 are dropped.
__device__ __forceinline__ void put(const Tile& tile, const unsigned (&place)[kTile], double* sums) {
  if (threadIdx.x != 0) return;
#pragma unroll
  for (unsigned i = 0; i < kTile; ++i)
    if (place[i] != ~0u) sums[place[i]] = with_plain_nan(tile.at[i]);
}

template <GramType kType>
__device__ __forceinline__ void pair_sums(const GramGroups& groups, uint64_t first, uint64_t size,
                                          double* sums) {
  const Tile tile = block_sums(first, size, [&](Tile& to, uint64_t i) {
    const double x[2] = {element_of<kType>(groups.data[0], i), element_of<kType>(groups.data[1], i)};
    to.at[0] += x[0] * x[0];
    to.at[1] += x[1] * x[0];
    to.at[2] += x[1] * x[1];
    const double y = x[1] - x[0], r = groups.samples[1] * y;
    to.at[3] += groups.samples[1] * (y * y) - (r * r) * groups.per_batch;
  });
  put(tile, {0, 1, 2, 3}, sums);
}

template <GramType kType>
__device__ __forceinline__ void many_sums(const GramGroups& groups, uint64_t first, uint64_t size,
                                          double* sums) {
  for (unsigned i = 0; i < groups.count; i += 2) {
    const bool last = i + 1 == groups.count;
    const void *row0 = groups.data[i], *row1 = last ? row0 : groups.data[i + 1];
    for (unsigned j = 0; j <= i; j += 2) {
      const void *column0 = groups.data[j], *column1 = j == i ? row1 : groups.data[j + 1];
      const Tile tile = block_sums(first, size, [&](Tile& to, uint64_t at) {
        const double r0 = element_of<kType>(row0, at), r1 = element_of<kType>(row1, at);
        const double c0 = element_of<kType>(column0, at), c1 = element_of<kType>(column1, at);
        to.at[0] += r0 * c0;
        to.at[1] += r0 * c1;
        to.at[2] += r1 * c0;
        to.at[3] += r1 * c1;
      });
      const unsigned at0 = gram_products(i) + j, at1 = gram_products(i + 1) + j;
      put(tile, {at0, j == i ? ~0u : at0 + 1, last ? ~0u : at1, last ? ~0u : at1 + 1}, sums);
    }
  }
  const Tile between = block_sums(first, size, [&](Tile& to, uint64_t at) {
    to.at[0] += between_term(groups, [&](unsigned i) { return element_of<kType>(groups.data[i], at); });
  });
  put(between, {gram_products(groups.count), ~0u, ~0u, ~0u}, sums);
}

template <GramType kType>
MLQ_KERNEL gram_kernel(GramGroups groups, uint64_t elems, double* sums, NonFinite* nonfinite) {
  const Team<kThreads> cta;
  const uint64_t blocks = divided_up(elems, kGramBlock);
  for (uint64_t block = cta.first; block < blocks; block += cta.stride) {
    const uint64_t first = block * kGramBlock;
    const uint64_t size = elems - first < kGramBlock ? elems - first : kGramBlock;
    double* out = sums + block * gram_sums(groups.count);
    if (groups.count == 2) {
      pair_sums<kType>(groups, first, size, out);
    } else {
      many_sums<kType>(groups, first, size, out);
    }
    unsigned suspects = 0;
    if (threadIdx.x == 0) {
      for (unsigned i = 0; i < groups.count; ++i) suspects += !is_finite(out[gram_products(i + 1) - 1]);
    }
    // The square of what is not finite is not finite.
    if (cta.all(suspects, Sum{}) > 0) note_nonfinite_of<kType>(groups, first, size, out, nonfinite);
  }
}

}  // namespace

void gram_blocks_cuda(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite,
                      Stream stream) {
  const auto kernel = groups.type == GramType::f32    ? gram_kernel<GramType::f32>
                      : groups.type == GramType::f16  ? gram_kernel<GramType::f16>
                      : groups.type == GramType::bf16 ? gram_kernel<GramType::bf16>
                      : groups.type == GramType::f64  ? gram_kernel<GramType::f64>
                      : groups.type == GramType::e4m3 ? gram_kernel<GramType::e4m3>
                                                      : gram_kernel<GramType::e5m2>;
  launch(kernel, divided_up(elems, kGramBlock), stream, groups, elems, sums, nonfinite);
}

}  // namespace mlq::kernels
