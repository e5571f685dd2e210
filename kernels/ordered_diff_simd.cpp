#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/ordered_diff_simd.cpp"
#include "kernels/simd.h"
// The targets' loop comes before what it repeats.
#include <hwy/foreach_target.h>

#include <bit>
#include <cstring>

#include "kernels/ordered_diff_math.h"
// Again for every target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mlq::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
uint64_t OrderedDiff(WordKind kind, uint64_t elems, const void* base, const void* next, uint8_t* mask,
                     uint8_t* planes, uint64_t stride) {
  return ordered_diff_cpu(kind, elems, base, next, mask, planes, stride);
}
#else

namespace hn = hwy::HWY_NAMESPACE;

constexpr uint64_t kGroup = 64;  // elements with their bits in one word

// A bit for each of kGroup words, set where they differ.
template <class Word>
HWY_INLINE uint64_t differing(const Word* base, const Word* next) {
  const hn::CappedTag<Word, kGroup> d;
  const size_t lanes = hn::Lanes(d);
  uint64_t bits = 0;
  for (size_t i = 0; i < kGroup; i += lanes) {
    uint64_t some = 0;
    hn::StoreMaskBits(d, hn::Ne(hn::LoadU(d, base + i), hn::LoadU(d, next + i)),
                      reinterpret_cast<uint8_t*>(&some));
    bits |= some << i;
  }
  return bits;
}

struct Diff {
  WordKind kind;
  uint64_t elems;
  const void *base, *next;
  uint8_t *mask, *planes;
  uint64_t stride;

  // Most words are equal: only those that are not are taken one by one.
  template <class Word, WordOrder kOrder>
  uint64_t run() const {
    const auto* from = static_cast<const Word*>(base);
    const auto* to = static_cast<const Word*>(next);
    uint64_t changed = 0, first = 0;
    for (; first + kGroup <= elems; first += kGroup) {
      uint64_t bits = differing(from + first, to + first);
      std::memcpy(mask + first / 8, &bits, sizeof bits);
      for (; bits != 0; bits &= bits - 1) {
        const uint64_t i = first + static_cast<unsigned>(std::countr_zero(bits));
        const Word folded = folded_difference<kOrder>(from[i], to[i]);
        for (unsigned k = 0; k < sizeof(Word); ++k)
          planes[k * stride + changed] = static_cast<uint8_t>(folded >> (8 * k));
        ++changed;
      }
    }
    return changed + ordered_diff_cpu(kind, elems - first, from + first, to + first, mask + first / 8,
                                      planes + changed, stride);
  }
};

uint64_t OrderedDiff(WordKind kind, uint64_t elems, const void* base, const void* next, uint8_t* mask,
                     uint8_t* planes, uint64_t stride) {
  return with_word_kind(kind, Diff{kind, elems, base, next, mask, planes, stride});
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace mlq::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mlq::kernels {

HWY_EXPORT(OrderedDiff);

uint64_t ordered_diff_simd(WordKind kind, uint64_t elems, const void* base, const void* next, uint8_t* mask,
                           uint8_t* planes, uint64_t stride) {
  return HWY_DYNAMIC_DISPATCH(OrderedDiff)(kind, elems, base, next, mask, planes, stride);
}

}  // namespace mlq::kernels
#endif
