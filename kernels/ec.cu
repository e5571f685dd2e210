// Escapes lie in element order, so each tile of elements has to know how many come before it: the tiles count
// theirs, two scans add up, and a second pass puts them in their places.
#include "kernels/cuda_common.h"
#include "kernels/ec_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

// A CTA's elements at a time, a unit a thread.
constexpr uint64_t kTile = kThreads * kUnit;
// Tiles that one CTA scans.
constexpr uint64_t kGroup = 1024;

// Scratch: a Tile each, then a number a group.
struct Tile {
  uint32_t count;   // escapes
  uint32_t before;  // in the same group of tiles
};

MLQ_HOST_DEVICE constexpr uint64_t tiles_of(uint64_t elems) { return divided_up(elems, kTile); }
MLQ_HOST_DEVICE constexpr uint64_t groups_of(uint64_t elems) { return divided_up(tiles_of(elems), kGroup); }

struct Scratch {
  Tile* tiles;
  uint64_t* groups;  // at first its number of escapes, then the number before it
};
Scratch scratch_of(uint64_t elems, void* scratch) {
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

__device__ __forceinline__ void load_codes(const uint8_t* low, const uint8_t* high, const Unit& unit,
                                           unsigned (&code)[kUnit]) {
  const uint64_t lows = load_bytes(low + unit.first, unit.size);
  const uint64_t highs = high ? load_bytes(high + unit.first, unit.size) : 0;
#pragma unroll
  for (unsigned k = 0; k < kUnit; ++k) code[k] = get_code(lows, 8, k) | get_code(highs, 8, k) << 8;
}
__device__ __forceinline__ unsigned escapes_in(const unsigned (&code)[kUnit], unsigned n) {
  unsigned found = 0;
#pragma unroll
  for (unsigned k = 0; k < kUnit; ++k) found += k < n && code[k] == 0;
  return found;
}

MLQ_KERNEL encode_tiles(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                        Tile* tiles, EncodeCounts* counts) {
  const Team<kThreads> cta;
  const float inverse = 1.0f / step;
  const int offset = high ? kEcWideOffset : kEcNarrowOffset;
  EncodeCounts met;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    const Unit unit = unit_of(tile, elems);
    float v[kUnit];
    load_unit(source, x, unit.first, unit.size, v);
    met.nonfinite += make_finite(v);
    unsigned code[kUnit];
    uint64_t lows = 0, highs = 0;
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      code[k] = ec_code(v[k], inverse, offset);
      lows |= uint64_t{code[k] & 0xffu} << (8 * k);
      highs |= uint64_t{code[k] >> 8} << (8 * k);
    }
    store_bytes(low + unit.first, lows, unit.size);
    if (high) store_bytes(high + unit.first, highs, unit.size);
    const unsigned escapes = cta.all(escapes_in(code, unit.size), Sum{});
    if (cta.rank == 0) tiles[tile] = {escapes, 0};
  }
  add_to(counts, met);
}

MLQ_KERNEL count_tiles(uint64_t elems, const uint8_t* low, const uint8_t* high, Tile* tiles) {
  const Team<kThreads> cta;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    const Unit unit = unit_of(tile, elems);
    unsigned code[kUnit];
    load_codes(low, high, unit, code);
    const unsigned escapes = cta.all(escapes_in(code, unit.size), Sum{});
    if (cta.rank == 0) tiles[tile] = {escapes, 0};
  }
}

// A CTA a group of tiles.
MLQ_KERNEL scan_tiles(uint64_t tiles, Tile* tile, uint64_t* groups) {
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
MLQ_KERNEL scan_groups(uint64_t groups, uint64_t* group, uint64_t* total) {
  uint64_t sum = 0;
  for (uint64_t first = 0; first < groups; first += kThreads) {
    const uint64_t i = first + threadIdx.x;
    const Prefix prefix = prefix_in_cta(i < groups ? group[i] : 0);
    if (i < groups) group[i] = sum + prefix.before;
    sum += prefix.all;
  }
  if (total && threadIdx.x == 0) *total = sum;
}

void scan(uint64_t elems, const Scratch& scratch, uint64_t* total, Stream stream) {
  launch(scan_tiles, groups_of(elems), stream, tiles_of(elems), scratch.tiles, scratch.groups);
  launch(scan_groups, 1, stream, groups_of(elems), scratch.groups, total);
}

// Which escape the first of a thread's unit is. By all threads of the CTA.
__device__ __forceinline__ uint64_t escapes_before(const Scratch& scratch, uint64_t tile, unsigned own) {
  return scratch.groups[tile / kGroup] + scratch.tiles[tile].before + prefix_in_cta(own).before;
}

__device__ __forceinline__ void copy_element(Float source, void* to, uint64_t i, const void* from,
                                             uint64_t j) {
  if (source == Float::f32) {
    static_cast<uint32_t*>(to)[i] = static_cast<const uint32_t*>(from)[j];
  } else {
    static_cast<uint16_t*>(to)[i] = static_cast<const uint16_t*>(from)[j];
  }
}

MLQ_KERNEL write_escapes(uint64_t elems, Float source, const void* x, const uint8_t* low, const uint8_t* high,
                         Scratch scratch, void* escapes) {
  const Team<kThreads> cta;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    if (scratch.tiles[tile].count == 0) continue;  // for all threads alike
    const Unit unit = unit_of(tile, elems);
    unsigned code[kUnit];
    load_codes(low, high, unit, code);
    uint64_t at = escapes_before(scratch, tile, escapes_in(code, unit.size));
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      if (k < unit.size && code[k] == 0) copy_element(source, escapes, at++, x, unit.first + k);
    }
  }
}

MLQ_KERNEL decode_tiles(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                        const void* escapes, Scratch scratch, Float target, void* out, uint64_t* saturated) {
  const Team<kThreads> cta;
  const int offset = high ? kEcWideOffset : kEcNarrowOffset;
  uint64_t cut = 0;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    const Unit unit = unit_of(tile, elems);
    unsigned code[kUnit];
    load_codes(low, high, unit, code);
    float y[kUnit];
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) y[k] = code[k] == 0 ? 0.0f : ec_value(code[k], step, offset);
    cut += store_unit(target, out, unit.first, unit.size, y);
    if (scratch.tiles[tile].count == 0) continue;  // for all threads alike
    uint64_t at = escapes_before(scratch, tile, escapes_in(code, unit.size));
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      if (k < unit.size && code[k] == 0) {
        const float v = load(source, escapes, at++);
        cut += saturates(target, v);
        store(target, out, unit.first + k, v);
      }
    }
  }
  add_to(saturated, cut);
}

}  // namespace

uint64_t ec_scratch_bytes(uint64_t elems) {
  return tiles_of(elems) * sizeof(Tile) + groups_of(elems) * sizeof(uint64_t);
}

void ec_encode_cuda(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                    void* escapes, uint64_t* escape_count, void* scratch, EncodeCounts* counts,
                    Stream stream) {
  const Scratch at = scratch_of(elems, scratch);
  launch(encode_tiles, tiles_of(elems), stream, step, elems, source, x, low, high, at.tiles, counts);
  scan(elems, at, escape_count, stream);
  launch(write_escapes, tiles_of(elems), stream, elems, source, x, low, high, at, escapes);
}

void ec_decode_cuda(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                    const void* escapes, Float target, void* out, void* scratch, uint64_t* saturated,
                    Stream stream) {
  const Scratch at = scratch_of(elems, scratch);
  launch(count_tiles, tiles_of(elems), stream, elems, low, high, at.tiles);
  scan(elems, at, nullptr, stream);
  launch(decode_tiles, tiles_of(elems), stream, step, elems, low, high, source, escapes, at, target, out,
         saturated);
}

}  // namespace mlq::kernels
