#include "lib/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "lib/base/error.h"

namespace mlq {
namespace {

bool equal(const PhiloxCounter& a, const PhiloxCounter& b) {
  return a.c0 == b.c0 && a.c1 == b.c1 && a.c2 == b.c2 && a.c3 == b.c3;
}

// From the reference implementation of Salmon et al. (Random123, file kat_vectors).
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_TRUE(equal(philox4x32_10({0, 0, 0, 0}, {0, 0}), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffff;
  EXPECT_TRUE(equal(philox4x32_10({ones, ones, ones, ones}, {ones, ones}),
                    {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_TRUE(equal(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
                    {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Mix64, IsTheFinaliserOfSplitmix64) {
  // The first outputs of splitmix64 seeded with 0: its state grows by the golden ratio.
  EXPECT_EQ(mix64(0x9E3779B97F4A7C15u), 0xE220A8397B1DCDAFu);
  EXPECT_EQ(mix64(2 * 0x9E3779B97F4A7C15u), 0x6E789E6AA1B965F4u);
  EXPECT_EQ(mix64(3 * 0x9E3779B97F4A7C15u), 0x06C45D188009454Fu);
}

TEST(Uniform, NeverReachesZeroOrOne) {
  EXPECT_EQ(uniform_from_bits(0), 0x1p-53);
  EXPECT_EQ(uniform_from_bits(~uint64_t{0}), 1.0 - 0x1p-53);
}

TEST(Uniform, IsTheMiddleOfItsCell) {
  const RandomStream random(7, Purpose::payload);
  for (uint64_t i = 0; i < 1000; ++i) {
    const auto w = random.bits(i);
    const uint64_t x = uint64_t{w.c1} << 32 | w.c0;
    EXPECT_EQ(uniform_from_bits(x), std::ldexp(static_cast<double>((x >> 12) * 2 + 1), -53));
  }
}

TEST(RandomStream, TakesIndexDrawAndStreamAsCounterAndSeedAndPurposeAsKey) {
  const RandomStream random(5, Purpose::gaps);
  const uint64_t key = mix64(5 + 0x9E3779B97F4A7C15u);
  EXPECT_EQ(random.key().k0, static_cast<uint32_t>(key));
  EXPECT_EQ(random.key().k1, static_cast<uint32_t>(key >> 32));
  EXPECT_TRUE(equal(random.bits(0x0123456789abcdef, 2, 3),
                    philox4x32_10({0x89abcdef, 0x01234567, 2, 3}, random.key())));
}

TEST(RandomStream, GivesTwoUniformsABlock) {
  const RandomStream random(5, Purpose::gaps);
  const auto w = random.bits(9, 1, 4);
  const UniformPair u = random.uniforms(9, 1, 4);
  EXPECT_EQ(u.a, uniform_from_bits(uint64_t{w.c1} << 32 | w.c0));
  EXPECT_EQ(u.b, uniform_from_bits(uint64_t{w.c3} << 32 | w.c2));
  EXPECT_EQ(random.uniform(9, 1, 4), u.a);
}

TEST(RandomStream, PurposesDoNotShareDraws) {
  std::set<double> seen;
  for (uint64_t purpose = 1; purpose <= 19; ++purpose) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
      seen.insert(RandomStream(seed, static_cast<Purpose>(purpose)).uniform(0));
    }
  }
  EXPECT_EQ(seen.size(), 19u * 50u);
}

// At a fixed seed: |z| < 4 of the mean and of the chi-square of 1,000 cells.
TEST(RandomStream, IsUniform) {
  constexpr int draws = 1'000'000, cells = 1000;
  const RandomStream random(1, Purpose::gaps);
  double sum = 0;
  std::vector<int> count(cells);
  for (uint64_t i = 0; i < draws; ++i) {
    const double u = random.uniform(i);
    sum += u;
    ++count[static_cast<size_t>(u * cells)];
  }
  EXPECT_LT(std::abs(sum / draws - 0.5) * std::sqrt(12.0 * draws), 4);
  double chi_square = 0;
  constexpr double expected = static_cast<double>(draws) / cells;
  for (const int n : count) chi_square += (n - expected) * (n - expected) / expected;
  EXPECT_LT(std::abs(chi_square - (cells - 1)) / std::sqrt(2.0 * (cells - 1)), 4);
}

TEST(Seed, IsReadAsDecimalOrHexadecimal) {
  EXPECT_EQ(parse_seed("0"), 0u);
  EXPECT_EQ(parse_seed("42"), 42u);
  EXPECT_EQ(parse_seed("18446744073709551615"), ~uint64_t{0});
  EXPECT_EQ(parse_seed("0xff"), 255u);
  EXPECT_EQ(parse_seed("0XFFFFFFFFFFFFFFFF"), ~uint64_t{0});
}

// The values are those of xxhash.xxh3_64_intdigest in Python.
TEST(Seed, OfAnyOtherTextIsItsHash) {
  EXPECT_EQ(parse_seed("spring"), 0x3EE0B778864F0FBBu);
  EXPECT_EQ(parse_seed("-1"), 0xBC25A7B612CBA21Fu);
  EXPECT_EQ(parse_seed("0x"), 0x890FE2BB71E3ECACu);
  EXPECT_EQ(parse_seed("18446744073709551616"), 0x7BE2153177DB3E37u);
}

TEST(Seed, MustNotBeEmpty) { EXPECT_THROW(parse_seed(""), Error); }

}  // namespace
}  // namespace mlq
