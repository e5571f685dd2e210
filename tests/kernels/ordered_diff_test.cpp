// Differences of words: what they are, that they lead back, and that SIMD gives the twin's bytes.
#include "kernels/ordered_diff.h"

#include <bit>
#include <cmath>

#include "kernels/float_convert.h"
#include "tests/kernels/ordered_diff_inputs.h"
#include "tests/kernels/simd_targets.h"

namespace mlq::kernels::test {
namespace {

constexpr WordKind kBf16 = {2, WordOrder::sign_magnitude};
constexpr uint8_t kUntouched = 0xa5;

struct Differences {
  Differences(WordKind kind, uint64_t elems)
      : mask((elems + 7) / 8 + 8, kUntouched),
        planes(kind.width * (elems + 1), kUntouched),
        stride(elems + 1) {}
  std::vector<uint8_t> mask, planes;
  uint64_t stride, changed = 0;
  bool operator==(const Differences&) const = default;
};

Differences twin(WordKind kind, uint64_t elems, const void* base, const void* next) {
  Differences d(kind, elems);
  d.changed = ordered_diff_cpu(kind, elems, base, next, d.mask.data(), d.planes.data(), d.stride);
  return d;
}

// The folded difference of two words, each alone.
template <class Word>
uint64_t difference(WordKind kind, Word base, Word next) {
  const Differences d = twin(kind, 1, &base, &next);
  uint64_t folded = 0;
  for (unsigned k = 0; d.changed > 0 && k < kind.width; ++k)
    folded |= uint64_t{d.planes[k * d.stride]} << (8 * k);
  return folded;
}

uint16_t bf16(float x) { return bf16_from_f32(x); }

TEST(OrderedDiff, OfNeighboursIsOneStep) {
  for (const float x : {1.0F, -1.0F, 3.4e38F, 1e-40F, -2.5F}) {
    const uint16_t at = bf16(x), away = static_cast<uint16_t>(at + 1);  // further from zero
    EXPECT_EQ(difference(kBf16, at, away), x > 0 ? 2U : 1U) << x;
    EXPECT_EQ(difference(kBf16, away, at), x > 0 ? 1U : 2U) << x;
  }
  EXPECT_EQ(difference<uint16_t>(kBf16, 0x0000, 0x8000), 1U) << "+0 and -0 are neighbours";
  EXPECT_EQ(difference<uint16_t>(kBf16, 0x8000, 0x0000), 2U);
}

TEST(OrderedDiff, OfFloatsHasTheirOrder) {
  const float values[] = {-INFINITY, -3e38F, -1, -1e-30F, -0.0F, 0.0F, 1e-38F, 0.5F, 1, 65504, INFINITY};
  constexpr WordKind kF32 = {4, WordOrder::sign_magnitude};
  for (size_t i = 1; i < std::size(values); ++i) {
    const uint64_t up = difference(kF32, bits_of(values[i - 1]), bits_of(values[i]));
    EXPECT_GT(up, 0U) << values[i];
    EXPECT_EQ(up % 2, 0U) << values[i] << " is above " << values[i - 1];
    EXPECT_EQ(difference(kF32, bits_of(values[i]), bits_of(values[i - 1])), up - 1) << values[i];
  }
}

TEST(OrderedDiff, OfIntegersIsTheirDifference) {
  constexpr WordKind kByte = {1, WordOrder::integer};
  EXPECT_EQ(difference<uint8_t>(kByte, 7, 10), 6U);
  EXPECT_EQ(difference<uint8_t>(kByte, 10, 7), 5U);
  EXPECT_EQ(difference<uint8_t>(kByte, 255, 0), 2U) << "modulo 256";
  EXPECT_EQ(difference<uint64_t>({8, WordOrder::integer}, 0, uint64_t{1} << 63), ~uint64_t{0});
}

TEST(OrderedDiff, OfAllPairsOfBytesLeadsBack) {
  for (const WordOrder order : {WordOrder::integer, WordOrder::sign_magnitude}) {
    for (unsigned from = 0; from < 256; ++from) {
      for (unsigned to = 0; to < 256; ++to) {
        const auto base = static_cast<uint8_t>(from), next = static_cast<uint8_t>(to);
        const Differences d = twin({1, order}, 1, &base, &next);
        ASSERT_EQ(d.changed, from != to);
        uint8_t word = base;
        ordered_patch_cpu({1, order}, 1, d.mask.data(), d.planes.data(), d.stride, &word);
        ASSERT_EQ(word, next);
      }
    }
  }
}

TEST(OrderedDiff, LeadsBackWhateverTheBits) {
  for (const WordKind kind : kWordKinds) {
    for (const uint64_t elems : {0, 1, 7, 8, 63, 64, 65, 1000}) {
      for (const unsigned one_in : {1, 3, 100}) {
        const WordPair pair(kind, elems, one_in, elems + one_in);
        const Differences d = twin(kind, elems, pair.base.data(), pair.next.data());
        auto words = pair.base;
        ordered_patch_cpu(kind, elems, d.mask.data(), d.planes.data(), d.stride, words.data());
        ASSERT_EQ(words, pair.next) << kind.width << " bytes, " << elems;
        std::vector<uint8_t> planes(elems * kind.width + 1, kUntouched);
        xor_planes_cpu(kind.width, elems, pair.base.data(), pair.next.data(), planes.data());
        ASSERT_EQ(planes.back(), kUntouched);
        words = pair.base;
        xor_unplanes_cpu(kind.width, elems, planes.data(), words.data());
        ASSERT_EQ(words, pair.next);
      }
    }
  }
}

TEST(OrderedDiff, LooksAtNoBitBehindTheLastElement) {
  const uint8_t mask = 0xff, planes[3] = {2, 2, 2};
  uint8_t words[8] = {1, 1, 1, 9, 9, 9, 9, 9};
  ordered_patch_cpu({1, WordOrder::integer}, 3, &mask, planes, 3, words);
  EXPECT_EQ(std::vector<uint8_t>(words, words + 8), (std::vector<uint8_t>{2, 2, 2, 9, 9, 9, 9, 9}));
}

TEST(OrderedDiff, ByVectorsIsThatOfTheTwin) {
  on_every_simd_target([] {
    for (const WordKind kind : kWordKinds) {
      for (const uint64_t elems : {1, 63, 64, 65, 640, 1001}) {
        for (const unsigned one_in : {1, 5, 200}) {
          const WordPair pair(kind, elems, one_in, elems);
          const Differences expected = twin(kind, elems, pair.base.data(), pair.next.data());
          Differences d(kind, elems);
          d.changed = ordered_diff_simd(kind, elems, pair.base.data(), pair.next.data(), d.mask.data(),
                                        d.planes.data(), d.stride);
          ASSERT_TRUE(d == expected) << kind.width << " bytes, " << elems << ", one in " << one_in;
        }
      }
    }
  });
}

}  // namespace
}  // namespace mlq::kernels::test
