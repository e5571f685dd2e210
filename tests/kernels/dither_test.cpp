// Subtractive dither: offsets by their definition, what they do to the error, and that the SIMD version is
// the twin.
#include "kernels/dither.h"

#include "tests/kernels/inputs.h"
#include "tests/kernels/simd_targets.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr DitherKey kKey = {{0x13198a2eu, 0x03707344u}, 11, 3, 0};

float rounded(double x) { return static_cast<float>(x); }

// By the definition: each operation exact, and rounded once.
double offset_of(const DitherKey& key, uint64_t element) {
  const uint64_t draw = element / 4;
  const PhiloxCounter w = philox4x32_10(
      {static_cast<uint32_t>(draw), static_cast<uint32_t>(draw >> 32), key.period, key.tensor}, key.philox);
  const uint32_t words[] = {w.c0, w.c1, w.c2, w.c3};
  const float u = rounded(static_cast<double>(words[element % 4] / 256) / 16777216);
  const double shifted = rounded(static_cast<double>(u) + static_cast<double>(key.shift));
  return rounded(shifted - std::floor(shifted) - 0.5);
}

struct Coded {
  Bytes codes, scales;
  EncodeCounts counts;
  bool operator==(const Coded& other) const {
    return codes == other.codes && scales == other.scales &&
           std::memcmp(&counts, &other.counts, sizeof counts) == 0;
  }
};
Coded encoded(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key, uint64_t first,
              const Array& x) {
  Coded out{Bytes(layout.code_bytes(spec.bits)), Bytes(layout.blocks() * size_of(spec.scale)), {}};
  dither_encode_cpu(spec, layout, key, first, x.type(), x.data(), out.codes.data(), out.scales.data(),
                    &out.counts);
  return out;
}
Array decoded(const BlockIntSpec& spec, const BlockLayout& layout, const DitherKey& key, uint64_t first,
              const Coded& coded, Float target) {
  Array out(target, layout.elems());
  uint64_t saturated = 0;
  dither_decode_cpu(spec, layout, key, first, coded.codes.data(), coded.scales.data(), target, out.data(),
                    &saturated);
  return out;
}

TEST(DitherOffset, IsThatOfTheDefinition) {
  for (const float shift : {0.0f, 0.25f, 1 / 3.0f, 0.875f, 1 - 0x1p-23f}) {
    const DitherKey key = {kKey.philox, kKey.period, kKey.tensor, shift};
    for (const uint64_t begin : {uint64_t{0}, uint64_t{1001}, (uint64_t{1} << 34) - 8})
      for (uint64_t e = begin; e < begin + 16; ++e) {
        EXPECT_EQ(static_cast<double>(dither_offset(key, e)), offset_of(key, e)) << e;
        EXPECT_GE(dither_offset(key, e), -0.5f);
        EXPECT_LT(dither_offset(key, e), 0.5f);
      }
  }
}

// For a weight of 0 in a block with a scale of 1, by hand: code 0 where the offset is below 1/2, and minus
// the offset is what is decoded.
TEST(Dither, OfZeroIsItsOffset) {
  Array x(Float::f32, 64);
  x.set(0, 7);
  const BlockIntSpec spec{4, Grid::absmax, Float::f32};
  const BlockLayout layout{1, 64, 64};
  for (const uint64_t first : {uint64_t{0}, uint64_t{3}, uint64_t{64}}) {
    const Array y = decoded(spec, layout, kKey, first, encoded(spec, layout, kKey, first, x), Float::f32);
    for (uint64_t i = 1; i < 64; ++i)
      EXPECT_EQ(static_cast<double>(y.at(i)), -offset_of(kKey, first + i)) << i;
  }
}

TEST(Dither, DoesNotDependOnHowATensorIsCut) {
  constexpr uint64_t kElems = 64 * 20 + 7;
  const Array x = make_input(Input::nonfinite, Float::bf16, kElems);
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    for (const uint64_t first : {0, 5}) {
      const BlockIntSpec spec{bits, Grid::sign, Float::bf16};
      const Coded whole = encoded(spec, {1, kElems, 64}, kKey, first, x);
      Coded pieces;
      for (uint64_t at = 0; at < kElems; at += 3 * 64) {
        const uint64_t elems = std::min<uint64_t>(3 * 64, kElems - at);
        Array part(x.type(), elems);
        for (uint64_t i = 0; i < elems; ++i) part.set(i, x.at(at + i));
        const Coded piece = encoded(spec, {1, elems, 64}, kKey, first + at, part);
        pieces.codes.insert(pieces.codes.end(), piece.codes.begin(), piece.codes.end());
        pieces.scales.insert(pieces.scales.end(), piece.scales.begin(), piece.scales.end());
        pieces.counts.nonfinite += piece.counts.nonfinite;
      }
      EXPECT_EQ(pieces, whole);
      EXPECT_GT(whole.counts.nonfinite, 0u);
    }
}

// Elements within the range of codes, their block's scale kept at 1 by its first element.
Array within_range(uint64_t elems, float q) {
  Array x(Float::f32, elems);
  for (uint64_t i = 0; i < elems; ++i) {
    const auto u = static_cast<float>(random_words(i, 77).c0 >> 8) * 0x1p-24f;
    x.set(i, i % 64 == 0 ? q : (2 * u - 1) * (q - 0.5f));
  }
  return x;
}

// With offsets (k + d) / n - 1/2, k = 0 ... n - 1, the sum of n codes is floor(n x + d): n errors add up to
// one rounding of n x, uniform in [-1/2, 1/2).
TEST(Dither, ErrorsOfAPeriodAddUpToOneRounding) {
  constexpr uint64_t kElems = 1 << 14;
  const BlockLayout layout{1, kElems, 64};
  for (const unsigned bits : {8u, 4u, 3u}) {
    const BlockIntSpec spec{bits, Grid::absmax, Float::f32};
    const float q = static_cast<float>((1 << (bits - 1)) - 1);
    const Array x = within_range(kElems, q);
    for (const unsigned n : {1u, 2u, 5u, 16u}) {
      std::vector<double> sum(kElems);
      for (unsigned i = 0; i < n; ++i) {
        DitherKey key = kKey;
        key.shift = static_cast<float>(i) / static_cast<float>(n);
        const Array y = decoded(spec, layout, key, 0, encoded(spec, layout, key, 0, x), Float::f32);
        for (uint64_t e = 0; e < kElems; ++e)
          sum[e] += static_cast<double>(y.at(e)) - static_cast<double>(x.at(e));
      }
      double mean = 0, energy = 0, largest = 0;
      for (uint64_t e = 0; e < kElems; ++e) {
        if (e % 64 == 0) continue;  // may be clamped
        mean += sum[e];
        energy += sum[e] * sum[e];
        largest = std::max(largest, std::abs(sum[e]));
      }
      const double count = kElems / 64 * 63;
      EXPECT_LE(largest, 0.5 + 1e-4) << bits << " bits, " << n << " strata";
      EXPECT_NEAR(energy / count * 12, 1, .03) << bits << " bits, " << n << " strata";
      EXPECT_NEAR(mean / count, 0, 4 * std::sqrt(1 / (12 * count))) << bits << " bits, " << n << " strata";
    }
  }
}

constexpr size_t kGuard = 64;
constexpr uint8_t kUntouched = 0xa5;

const std::vector<BlockLayout> kLayouts = {
    {1, 64 * 37 + 13, 64}, {3, 200, 32},           {5, 72, 16},     {1, 1, 64},
    {7, 33, 64},           {1, 128 * 17 + 3, 128}, {4, 1000, 1000}, {1, 8192 + 4001, 8192},
    {1, 16384, 16384},     {1, 20'001, 20'001}};

struct Padded {
  Bytes bytes;
  explicit Padded(size_t size) : bytes(size + kGuard, kUntouched) {}
  uint8_t* data() { return bytes.data(); }
};

void compare(const BlockIntSpec& spec, const BlockLayout& layout, uint64_t first, const Array& x) {
  // With an element whose sum is 1, which is taken for 0.
  const uint64_t middle = first + layout.elems() / 2;
  const DitherKey key = {kKey.philox, kKey.period, kKey.tensor, 0.5f - dither_offset(kKey, middle)};
  ASSERT_EQ(dither_offset(key, middle), -0.5f);
  Padded codes(layout.code_bytes(spec.bits)), scales(layout.blocks() * size_of(spec.scale)), out(x.bytes());
  EncodeCounts counts;
  uint64_t saturated = 0;
  dither_encode_cpu(spec, layout, key, first, x.type(), x.data(), codes.data(), scales.data(), &counts);
  dither_decode_cpu(spec, layout, key, first, codes.data(), scales.data(), x.type(), out.data(), &saturated);
  on_every_simd_target([&] {
    Padded simd_codes(layout.code_bytes(spec.bits)), simd_scales(layout.blocks() * size_of(spec.scale)),
        simd_out(x.bytes());
    EncodeCounts met;
    uint64_t cut = 0;
    dither_encode_simd(spec, layout, key, first, x.type(), x.data(), simd_codes.data(), simd_scales.data(),
                       &met);
    ASSERT_TRUE(simd_codes.bytes == codes.bytes);
    ASSERT_TRUE(simd_scales.bytes == scales.bytes);
    ASSERT_EQ(met.nonfinite, counts.nonfinite);
    ASSERT_EQ(met.flushed_blocks, counts.flushed_blocks);
    ASSERT_EQ(met.scale_overflow, counts.scale_overflow);
    dither_decode_simd(spec, layout, key, first, codes.data(), scales.data(), x.type(), simd_out.data(),
                       &cut);
    ASSERT_TRUE(simd_out.bytes == out.bytes);
    ASSERT_EQ(cut, saturated);
  });
}

TEST(DitherTwin, SimdGivesTheBytesOfTheCpu) {
  size_t n = 0;
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    for (const BlockLayout& layout : kLayouts)
      for (const Float type : kFloats)
        for (const Input input : kInputs) {
          // Whole draws, and all that may be left of one; beyond 32 bits of draws, and where they carry.
          constexpr uint64_t kFirsts[] = {0, 1, 2, 3, (uint64_t{1} << 34) + 6, (uint64_t{1} << 34) - 99, 64};
          const uint64_t first = kFirsts[n++ % std::size(kFirsts)];
          const Grid grid = n % 2 == 0 ? Grid::absmax : Grid::sign;
          SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(type) + ", " + std::to_string(bits) +
                       " bits, " + std::to_string(layout.rows) + " x " + std::to_string(layout.cols) +
                       " in blocks of " + std::to_string(layout.block) + " from " + std::to_string(first));
          compare({bits, grid, kFloats[n / 2 % 3]}, layout, first, make_input(input, type, layout.elems()));
          if (HasFatalFailure()) return;
        }
}

}  // namespace
}  // namespace mlq::kernels::test
