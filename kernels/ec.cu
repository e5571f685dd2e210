// Escapes lie in element order, so each tile of elements has to know how many come before it: cuda_scan.h.
#include "kernels/cuda_scan.h"
#include "kernels/ec_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

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

__device__ __forceinline__ void copy_element(Float source, void* to, uint64_t i, const void* from,
                                             uint64_t j) {
  if (source == Float::f32) {
    static_cast<uint32_t*>(to)[i] = static_cast<const uint32_t*>(from)[j];
  } else {
    static_cast<uint16_t*>(to)[i] = static_cast<const uint16_t*>(from)[j];
  }
}

MLQ_KERNEL write_escapes(uint64_t elems, Float source, const void* x, const uint8_t* low, const uint8_t* high,
                         ScanScratch scratch, void* escapes) {
  const Team<kThreads> cta;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    if (scratch.tiles[tile].count == 0) continue;  // for all threads alike
    const Unit unit = unit_of(tile, elems);
    unsigned code[kUnit];
    load_codes(low, high, unit, code);
    uint64_t at = place_of(scratch, tile, escapes_in(code, unit.size));
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      if (k < unit.size && code[k] == 0) copy_element(source, escapes, at++, x, unit.first + k);
    }
  }
}

MLQ_KERNEL decode_tiles(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                        const void* escapes, ScanScratch scratch, Float target, void* out,
                        uint64_t* saturated) {
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
    uint64_t at = place_of(scratch, tile, escapes_in(code, unit.size));
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

uint64_t ec_scratch_bytes(uint64_t elems) { return scan_scratch_bytes(elems); }

void ec_encode_cuda(float step, uint64_t elems, Float source, const void* x, uint8_t* low, uint8_t* high,
                    void* escapes, uint64_t* escape_count, void* scratch, EncodeCounts* counts,
                    Stream stream) {
  const ScanScratch at = scan_scratch_of(elems, scratch);
  launch(encode_tiles, tiles_of(elems), stream, step, elems, source, x, low, high, at.tiles, counts);
  scan(elems, at, escape_count, stream);
  launch(write_escapes, tiles_of(elems), stream, elems, source, x, low, high, at, escapes);
}

void ec_decode_cuda(float step, uint64_t elems, const uint8_t* low, const uint8_t* high, Float source,
                    const void* escapes, Float target, void* out, void* scratch, uint64_t* saturated,
                    Stream stream) {
  const ScanScratch at = scan_scratch_of(elems, scratch);
  launch(count_tiles, tiles_of(elems), stream, elems, low, high, at.tiles);
  scan(elems, at, nullptr, stream);
  launch(decode_tiles, tiles_of(elems), stream, step, elems, low, high, source, escapes, at, target, out,
         saturated);
}

}  // namespace mlq::kernels
