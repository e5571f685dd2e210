// The arithmetic of ordered_diff.h, for host and device.
#pragma once

#include "kernels/ordered_diff.h"

namespace mlq::kernels {

template <class Word>
inline constexpr Word kTopBit = static_cast<Word>(Word{1} << (8 * sizeof(Word) - 1));

template <WordOrder kOrder, class Word>
MLQ_HOST_DEVICE constexpr Word ordered(Word word) {
  if constexpr (kOrder == WordOrder::integer) return word;
  return static_cast<Word>((word & kTopBit<Word>) != 0 ? ~word : word | kTopBit<Word>);
}
template <WordOrder kOrder, class Word>
MLQ_HOST_DEVICE constexpr Word unordered(Word place) {
  if constexpr (kOrder == WordOrder::integer) return place;
  return static_cast<Word>((place & kTopBit<Word>) != 0 ? place ^ kTopBit<Word> : ~place);
}

template <class Word>
MLQ_HOST_DEVICE constexpr Word zigzag(Word difference) {
  const auto sign = static_cast<Word>((difference & kTopBit<Word>) != 0 ? ~Word{0} : Word{0});
  return static_cast<Word>(static_cast<Word>(difference << 1) ^ sign);
}
template <class Word>
MLQ_HOST_DEVICE constexpr Word unzigzag(Word folded) {
  const auto sign = static_cast<Word>((folded & 1) != 0 ? ~Word{0} : Word{0});
  return static_cast<Word>(static_cast<Word>(folded >> 1) ^ sign);
}

template <WordOrder kOrder, class Word>
MLQ_HOST_DEVICE constexpr Word folded_difference(Word base, Word next) {
  return zigzag(static_cast<Word>(ordered<kOrder>(next) - ordered<kOrder>(base)));
}
template <WordOrder kOrder, class Word>
MLQ_HOST_DEVICE constexpr Word moved_by(Word base, Word folded) {
  return unordered<kOrder>(static_cast<Word>(ordered<kOrder>(base) + unzigzag(folded)));
}

// Calls work.template run<Word, kOrder>() for a kind.
template <class Work>
decltype(auto) with_word_kind(WordKind kind, const Work& work) {
  const bool integer = kind.order == WordOrder::integer;
  switch (kind.width) {
    case 1:
      return integer ? work.template run<uint8_t, WordOrder::integer>()
                     : work.template run<uint8_t, WordOrder::sign_magnitude>();
    case 2:
      return integer ? work.template run<uint16_t, WordOrder::integer>()
                     : work.template run<uint16_t, WordOrder::sign_magnitude>();
    case 4:
      return integer ? work.template run<uint32_t, WordOrder::integer>()
                     : work.template run<uint32_t, WordOrder::sign_magnitude>();
    default:
      return integer ? work.template run<uint64_t, WordOrder::integer>()
                     : work.template run<uint64_t, WordOrder::sign_magnitude>();
  }
}

}  // namespace mlq::kernels
