// Compaction: what only some elements have goes one after another, in element order. Each tile of elements
// counts its own, two scans add up, and a second pass puts them in their places. For device code only.
#pragma once

#include "kernels/cuda_common.h"

namespace mlq::kernels::cuda {

// A CTA's elements at a time, a unit a thread.
constexpr uint64_t kTile = kThreads * kUnit;
// Tiles that one CTA scans.
constexpr uint64_t kGroup = 1024;

// Scratch: a Tile each, then a number a group.
struct Tile {
  uint32_t count;   // of its elements that are to be put
  uint32_t before;  // those of the tiles before it in its group
};

MLQ_HOST_DEVICE constexpr uint64_t tiles_of(uint64_t elems) { return divided_up(elems, kTile); }
MLQ_HOST_DEVICE constexpr uint64_t groups_of(uint64_t elems) { return divided_up(tiles_of(elems), kGroup); }
constexpr uint64_t scan_scratch_bytes(uint64_t elems) {
  return tiles_of(elems) * sizeof(Tile) + groups_of(elems) * sizeof(uint64_t);
}

struct ScanScratch {
  Tile* tiles;
  uint64_t* groups;  // at first its count, then that of all before it
};
inline ScanScratch scan_scratch_of(uint64_t elems, void* scratch) {
  auto* tiles = static_cast<Tile*>(scratch);
  return {tiles, reinterpret_cast<uint64_t*>(tiles + tiles_of(elems))};
}

// The sum of the values of the CTA's threads before this one, and of all.
struct Prefix {
  uint64_t before, all;
};
__device__ __forceinline__ Prefix prefix_in_cta(uint64_t value) {
  __shared__ uint64_t of_warp[kThreads / kLanes];
  uint64_t sum = value;
#pragma unroll
  for (unsigned by = 1; by < kLanes; by *= 2) {
    const uint64_t lower = __shfl_up_sync(kAllLanes, sum, by);
    if (lane() >= by) sum += lower;
  }
  __syncthreads();  // the last one is over
  if (lane() == kLanes - 1) of_warp[threadIdx.x / kLanes] = sum;
  __syncthreads();
  Prefix out{sum - value, 0};
  for (unsigned i = 0; i < kThreads / kLanes; ++i) {
    if (i < threadIdx.x / kLanes) out.before += of_warp[i];
    out.all += of_warp[i];
  }
  return out;
}

// A thread's unit of a tile.
struct Unit {
  uint64_t first;
  unsigned size;
};
__device__ __forceinline__ Unit unit_of(uint64_t tile, uint64_t elems) {
  const uint64_t first = tile * kTile + uint64_t{threadIdx.x} * kUnit;
  const uint64_t left = first < elems ? elems - first : 0;
  return {first, static_cast<unsigned>(left < kUnit ? left : kUnit)};
}

// A CTA a group of tiles.
static MLQ_KERNEL scan_tiles(uint64_t tiles, Tile* tile, uint64_t* groups) {
  constexpr uint64_t kEach = kGroup / kThreads;
  const Team<kThreads> cta;
  for (uint64_t group = cta.first; group < divided_up(tiles, kGroup); group += cta.stride) {
    const uint64_t first = group * kGroup + cta.rank * kEach;
    uint32_t own = 0;
    for (uint64_t i = first; i < first + kEach && i < tiles; ++i) own += tile[i].count;
    const Prefix prefix = prefix_in_cta(own);
    auto before = static_cast<uint32_t>(prefix.before);
    for (uint64_t i = first; i < first + kEach && i < tiles; ++i) {
      tile[i].before = before;
      before += tile[i].count;
    }
    if (cta.rank == 0) groups[group] = prefix.all;
  }
}

// One CTA; `total` may be null.
static MLQ_KERNEL scan_groups(uint64_t groups, uint64_t* group, uint64_t* total) {
  uint64_t sum = 0;
  for (uint64_t first = 0; first < groups; first += kThreads) {
    const uint64_t i = first + threadIdx.x;
    const Prefix prefix = prefix_in_cta(i < groups ? group[i] : 0);
    if (i < groups) group[i] = sum + prefix.before;
    sum += prefix.all;
  }
  if (total && threadIdx.x == 0) *total = sum;
}

// From the counts of the tiles to their places; `total` may be null.
inline void scan(uint64_t elems, const ScanScratch& scratch, uint64_t* total, Stream stream) {
  launch(scan_tiles, groups_of(elems), stream, tiles_of(elems), scratch.tiles, scratch.groups);
  launch(scan_groups, 1, stream, groups_of(elems), scratch.groups, total);
}

// Which place the first of a thread's `own` elements has. By all threads of the CTA.
__device__ __forceinline__ uint64_t place_of(const ScanScratch& scratch, uint64_t tile, unsigned own) {
  return scratch.groups[tile / kGroup] + scratch.tiles[tile].before + prefix_in_cta(own).before;
}

}  // namespace mlq::kernels::cuda
