#include "kernels/cuda_scan.h"
#include "kernels/ordered_diff_math.h"

namespace mlq::kernels {
namespace {

using namespace cuda;

// A thread's unit is the eight elements of one byte of the mask.
static_assert(kUnit == 8);

__device__ __forceinline__ unsigned bits_within(unsigned mask, unsigned size) {
  return mask & ((1u << size) - 1);
}

template <class Word>
MLQ_KERNEL mask_tiles(uint64_t elems, const Word* base, const Word* next, uint8_t* mask, Tile* tiles) {
  const Team<kThreads> cta;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    const Unit unit = unit_of(tile, elems);
    unsigned bits = 0;
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      if (k < unit.size && base[unit.first + k] != next[unit.first + k]) bits |= 1u << k;
    }
    if (unit.size > 0) mask[unit.first / kUnit] = static_cast<uint8_t>(bits);
    const unsigned changed = cta.all(static_cast<unsigned>(__popc(bits)), Sum{});
    if (cta.rank == 0) tiles[tile] = {changed, 0};
  }
}

MLQ_KERNEL count_mask(uint64_t elems, const uint8_t* mask, Tile* tiles) {
  const Team<kThreads> cta;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    const Unit unit = unit_of(tile, elems);
    const unsigned bits = unit.size > 0 ? bits_within(mask[unit.first / kUnit], unit.size) : 0;
    const unsigned changed = cta.all(static_cast<unsigned>(__popc(bits)), Sum{});
    if (cta.rank == 0) tiles[tile] = {changed, 0};
  }
}

template <class Word, WordOrder kOrder>
MLQ_KERNEL put_differences(uint64_t elems, const Word* base, const Word* next, const uint8_t* mask,
                           ScanScratch scratch, uint8_t* planes, uint64_t stride) {
  const Team<kThreads> cta;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    if (scratch.tiles[tile].count == 0) continue;  // for all threads alike
    const Unit unit = unit_of(tile, elems);
    const unsigned bits = unit.size > 0 ? mask[unit.first / kUnit] : 0;
    uint64_t at = place_of(scratch, tile, static_cast<unsigned>(__popc(bits)));
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      if ((bits >> k & 1u) == 0) continue;
      const Word folded = folded_difference<kOrder>(base[unit.first + k], next[unit.first + k]);
      for (unsigned plane = 0; plane < sizeof(Word); ++plane)
        planes[plane * stride + at] = static_cast<uint8_t>(folded >> (8 * plane));
      ++at;
    }
  }
}

template <class Word, WordOrder kOrder>
MLQ_KERNEL take_differences(uint64_t elems, const uint8_t* mask, ScanScratch scratch, const uint8_t* planes,
                            uint64_t stride, Word* words) {
  const Team<kThreads> cta;
  for (uint64_t tile = cta.first; tile < tiles_of(elems); tile += cta.stride) {
    if (scratch.tiles[tile].count == 0) continue;  // for all threads alike
    const Unit unit = unit_of(tile, elems);
    const unsigned bits = unit.size > 0 ? bits_within(mask[unit.first / kUnit], unit.size) : 0;
    uint64_t at = place_of(scratch, tile, static_cast<unsigned>(__popc(bits)));
#pragma unroll
    for (unsigned k = 0; k < kUnit; ++k) {
      if ((bits >> k & 1u) == 0) continue;
      Word folded = 0;
      for (unsigned plane = 0; plane < sizeof(Word); ++plane)
        folded = static_cast<Word>(folded | Word{planes[plane * stride + at]} << (8 * plane));
      words[unit.first + k] = moved_by<kOrder>(words[unit.first + k], folded);
      ++at;
    }
  }
}

template <class Word>
MLQ_KERNEL put_xor(uint64_t elems, const Word* base, const Word* next, uint8_t* planes) {
  for (uint64_t i = grid_thread(); i < elems; i += grid_threads()) {
    const auto word = static_cast<Word>(base[i] ^ next[i]);
    for (unsigned plane = 0; plane < sizeof(Word); ++plane)
      planes[plane * elems + i] = static_cast<uint8_t>(word >> (8 * plane));
  }
}

template <class Word>
MLQ_KERNEL take_xor(uint64_t elems, const uint8_t* planes, Word* words) {
  for (uint64_t i = grid_thread(); i < elems; i += grid_threads()) {
    Word word = words[i];
    for (unsigned plane = 0; plane < sizeof(Word); ++plane)
      word = static_cast<Word>(word ^ Word{planes[plane * elems + i]} << (8 * plane));
    words[i] = word;
  }
}

struct Diff {
  uint64_t elems;
  const void *base, *next;
  uint8_t *mask, *planes;
  uint64_t stride;
  uint64_t* changed;
  ScanScratch scratch;
  Stream stream;

  template <class Word, WordOrder kOrder>
  void run() const {
    const auto* from = static_cast<const Word*>(base);
    const auto* to = static_cast<const Word*>(next);
    launch(mask_tiles<Word>, tiles_of(elems), stream, elems, from, to, mask, scratch.tiles);
    scan(elems, scratch, changed, stream);
    launch(put_differences<Word, kOrder>, tiles_of(elems), stream, elems, from, to, mask, scratch, planes,
           stride);
  }
};

struct Patch {
  uint64_t elems;
  const uint8_t *mask, *planes;
  uint64_t stride;
  void* words;
  ScanScratch scratch;
  Stream stream;

  template <class Word, WordOrder kOrder>
  void run() const {
    launch(count_mask, tiles_of(elems), stream, elems, mask, scratch.tiles);
    scan(elems, scratch, nullptr, stream);
    launch(take_differences<Word, kOrder>, tiles_of(elems), stream, elems, mask, scratch, planes, stride,
           static_cast<Word*>(words));
  }
};

struct XorPlanes {
  uint64_t elems;
  const void *base, *next;
  uint8_t* planes;
  Stream stream;

  template <class Word, WordOrder>
  void run() const {
    launch(put_xor<Word>, ctas_for(elems), stream, elems, static_cast<const Word*>(base),
           static_cast<const Word*>(next), planes);
  }
};

struct XorUnplanes {
  uint64_t elems;
  const uint8_t* planes;
  void* words;
  Stream stream;

  template <class Word, WordOrder>
  void run() const {
    launch(take_xor<Word>, ctas_for(elems), stream, elems, planes, static_cast<Word*>(words));
  }
};

}  // namespace

uint64_t ordered_diff_scratch_bytes(uint64_t elems) { return scan_scratch_bytes(elems); }

void ordered_diff_cuda(WordKind kind, uint64_t elems, const void* base, const void* next, uint8_t* mask,
                       uint8_t* planes, uint64_t stride, uint64_t* changed, void* scratch, Stream stream) {
  with_word_kind(
      kind, Diff{elems, base, next, mask, planes, stride, changed, scan_scratch_of(elems, scratch), stream});
}

void ordered_patch_cuda(WordKind kind, uint64_t elems, const uint8_t* mask, const uint8_t* planes,
                        uint64_t stride, void* words, void* scratch, Stream stream) {
  with_word_kind(kind, Patch{elems, mask, planes, stride, words, scan_scratch_of(elems, scratch), stream});
}

void xor_planes_cuda(unsigned width, uint64_t elems, const void* base, const void* next, uint8_t* planes,
                     Stream stream) {
  with_word_kind({width, WordOrder::integer}, XorPlanes{elems, base, next, planes, stream});
}

void xor_unplanes_cuda(unsigned width, uint64_t elems, const uint8_t* planes, void* words, Stream stream) {
  with_word_kind({width, WordOrder::integer}, XorUnplanes{elems, planes, words, stream});
}

}  // namespace mlq::kernels
