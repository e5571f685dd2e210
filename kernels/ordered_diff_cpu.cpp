#include <bit>
#include <cstring>

#include "kernels/ordered_diff_math.h"

namespace mlq::kernels {
namespace {

struct Diff {
  uint64_t elems;
  const void *base, *next;
  uint8_t *mask, *planes;
  uint64_t stride;

  template <class Word, WordOrder kOrder>
  uint64_t run() const {
    const auto* from = static_cast<const Word*>(base);
    const auto* to = static_cast<const Word*>(next);
    std::memset(mask, 0, (elems + 7) / 8);
    uint64_t changed = 0;
    for (uint64_t i = 0; i < elems; ++i) {
      if (from[i] == to[i]) continue;
      mask[i / 8] = static_cast<uint8_t>(mask[i / 8] | 1u << (i % 8));
      const Word folded = folded_difference<kOrder>(from[i], to[i]);
      for (unsigned k = 0; k < sizeof(Word); ++k)
        planes[k * stride + changed] = static_cast<uint8_t>(folded >> (8 * k));
      ++changed;
    }
    return changed;
  }
};

struct Patch {
  uint64_t elems;
  const uint8_t *mask, *planes;
  uint64_t stride;
  void* words;

  template <class Word, WordOrder kOrder>
  void run() const {
    auto* word = static_cast<Word*>(words);
    uint64_t j = 0;
    for (uint64_t first = 0; first < elems; first += 8) {
      unsigned set = mask[first / 8];
      if (elems - first < 8) set &= (1u << (elems - first)) - 1;
      for (; set != 0; set &= set - 1) {
        const uint64_t i = first + static_cast<unsigned>(std::countr_zero(set));
        Word folded = 0;
        for (unsigned k = 0; k < sizeof(Word); ++k)
          folded = static_cast<Word>(folded | Word{planes[k * stride + j]} << (8 * k));
        word[i] = moved_by<kOrder>(word[i], folded);
        ++j;
      }
    }
  }
};

struct XorPlanes {
  uint64_t elems;
  const void *base, *next;
  uint8_t* planes;

  template <class Word, WordOrder>
  void run() const {
    const auto* from = static_cast<const Word*>(base);
    const auto* to = static_cast<const Word*>(next);
    for (unsigned k = 0; k < sizeof(Word); ++k)
      for (uint64_t i = 0; i < elems; ++i)
        planes[k * elems + i] = static_cast<uint8_t>((from[i] ^ to[i]) >> (8 * k));
  }
};

struct XorUnplanes {
  uint64_t elems;
  const uint8_t* planes;
  void* words;

  template <class Word, WordOrder>
  void run() const {
    auto* word = static_cast<Word*>(words);
    for (unsigned k = 0; k < sizeof(Word); ++k)
      for (uint64_t i = 0; i < elems; ++i)
        word[i] = static_cast<Word>(word[i] ^ Word{planes[k * elems + i]} << (8 * k));
  }
};

}  // namespace

uint64_t ordered_diff_cpu(WordKind kind, uint64_t elems, const void* base, const void* next, uint8_t* mask,
                          uint8_t* planes, uint64_t stride) {
  return with_word_kind(kind, Diff{elems, base, next, mask, planes, stride});
}

void ordered_patch_cpu(WordKind kind, uint64_t elems, const uint8_t* mask, const uint8_t* planes,
                       uint64_t stride, void* words) {
  with_word_kind(kind, Patch{elems, mask, planes, stride, words});
}

void xor_planes_cpu(unsigned width, uint64_t elems, const void* base, const void* next, uint8_t* planes) {
  with_word_kind({width, WordOrder::integer}, XorPlanes{elems, base, next, planes});
}

void xor_unplanes_cpu(unsigned width, uint64_t elems, const uint8_t* planes, void* words) {
  with_word_kind({width, WordOrder::integer}, XorUnplanes{elems, planes, words});
}

}  // namespace mlq::kernels
