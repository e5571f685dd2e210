#include "lib/base/fixed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace mlq {
namespace {

u128 make(uint64_t high, uint64_t low) { return (u128{high} << 64) | low; }

// The product of two 128-bit numbers in 32-bit digits, lowest first, as taught at school.
std::vector<uint32_t> long_product(u128 a, u128 b) {
  std::vector<uint32_t> out(8, 0);
  for (int i = 0; i < 4; ++i) {
    uint64_t carry = 0;
    for (int j = 0; j < 4; ++j) {
      const uint64_t x = static_cast<uint32_t>(a >> (32 * i));
      const uint64_t y = static_cast<uint32_t>(b >> (32 * j));
      const uint64_t sum = out[static_cast<size_t>(i + j)] + x * y + carry;
      out[static_cast<size_t>(i + j)] = static_cast<uint32_t>(sum);
      carry = sum >> 32;
    }
    out[static_cast<size_t>(i + 4)] = static_cast<uint32_t>(carry);
  }
  return out;
}

TEST(Fixed, DoublesAreTakenExactlyAndCutAtTheLastPlace) {
  EXPECT_TRUE(to_fixed(0) == 0);
  EXPECT_TRUE(to_fixed(1) == kFixedOne);
  EXPECT_TRUE(to_fixed(2.75) == make(2, uint64_t{3} << 62));
  EXPECT_TRUE(to_fixed(0x1p-64) == 1);
  EXPECT_TRUE(to_fixed(0x1.8p-64) == 1);
  EXPECT_TRUE(to_fixed(0x1.8p-65) == 0);
  EXPECT_TRUE(to_fixed(0x1.fffffffffffffp63) == make(0xFFFFFFFFFFFFF800u, 0));
}

TEST(Fixed, WhatIsNotAPositiveNumberIsZeroAndWhatIsTooLargeSaturates) {
  EXPECT_TRUE(to_fixed(-1) == 0);
  EXPECT_TRUE(to_fixed(std::numeric_limits<double>::quiet_NaN()) == 0);
  EXPECT_TRUE(to_fixed(std::numeric_limits<double>::denorm_min()) == 0);
  EXPECT_TRUE(to_fixed(0x1p64) == kFixedMax);
  EXPECT_TRUE(to_fixed(std::numeric_limits<double>::infinity()) == kFixedMax);
}

TEST(Fixed, DoublesComeBack) {
  std::mt19937_64 random(1);
  for (int k = 0; k < 10000; ++k) {
    const double x = std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 60) - 63);
    ASSERT_EQ(fixed_to_double(to_fixed(x)), x);
  }
}

TEST(Fixed, ProductIsTheFloorOfTheLongProduct) {
  std::mt19937_64 random(2);
  for (int k = 0; k < 20000; ++k) {
    const u128 a = make(random() >> (random() % 64), random());
    const u128 b = make(random() >> (random() % 64), random());
    const std::vector<uint32_t> digits = long_product(a, b);
    const bool fits = digits[6] == 0 && digits[7] == 0;
    if (!fixed_product_overflows(a, b)) {
      ASSERT_TRUE(fits);
    }
    if (!fits) continue;
    ASSERT_TRUE(fixed_multiply(a, b) ==
                make((uint64_t{digits[5]} << 32) | digits[4], (uint64_t{digits[3]} << 32) | digits[2]));
  }
}

TEST(Fixed, OverflowIsToldWithOneBitToSpare) {
  EXPECT_FALSE(fixed_product_overflows(make(1, 0), make(uint64_t{1} << 61, 0)));
  EXPECT_TRUE(fixed_product_overflows(make(4, 0), make(uint64_t{1} << 63, 0)));
  EXPECT_FALSE(fixed_product_overflows(0, kFixedMax));
}

// floor(a 2^64 / b), saturating, bit by bit.
u128 slow_quotient(u128 a, u128 b) {
  u128 quotient = 0;
  u128 rest = 0;
  for (int bit = 191; bit >= 0; --bit) {
    const bool carry = (rest >> 127) != 0;
    rest <<= 1;
    if (bit >= 64) rest |= (a >> (bit - 64)) & 1;
    if (!carry && rest < b) continue;
    rest -= b;
    if (bit >= 128) return kFixedMax;
    quotient |= u128{1} << bit;
  }
  return quotient;
}

TEST(Fixed, QuotientIsThatOfTheLongDivision) {
  std::mt19937_64 random(3);
  const auto any = [&] {
    u128 x = make(random(), random());
    if (random() % 4 == 0) x |= make(~uint64_t{0} << (random() % 64), 0);
    return x >> (random() % 127);
  };
  for (int k = 0; k < 20000; ++k) {
    const u128 a = any();
    const u128 b = any() | 1;
    ASSERT_TRUE(fixed_divide(a, b) == slow_quotient(a, b)) << k;
    ASSERT_TRUE(fixed_divide(b - 1, b) == slow_quotient(b - 1, b)) << k;
  }
}

TEST(Fixed, QuotientsThatAreExactAreExact) {
  EXPECT_TRUE(fixed_divide(make(10, 0), make(4, 0)) == make(2, uint64_t{1} << 63));
  EXPECT_TRUE(fixed_divide(1, make(1, 0)) == 1);
  EXPECT_TRUE(fixed_divide(kFixedMax, 1) == kFixedMax);
}

TEST(Fixed, SumsSaturate) {
  EXPECT_TRUE(fixed_add(1, 2) == 3);
  EXPECT_TRUE(fixed_add(kFixedMax, 1) == kFixedMax);
  EXPECT_TRUE(fixed_add(kFixedMax - 1, 1) == kFixedMax);
}

}  // namespace
}  // namespace mlq
