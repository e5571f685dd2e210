// Conversions over all codes, against what the formats say and against a search for the nearest number.
#include "kernels/float_convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace mlq::kernels {
namespace {

// A format as its specification describes it: fields, and the largest finite code.
struct Format {
  const char* name;
  unsigned exponent_bits, mantissa_bits;
  int bias;
  uint32_t largest;  // of the magnitudes that are finite
  bool has_infinity;
  float (*widen)(uint32_t);
  uint32_t (*narrow)(float);

  uint32_t sign_bit() const { return 1u << (exponent_bits + mantissa_bits); }
  // The value of a finite magnitude, exact in a double.
  double value(uint32_t magnitude) const {
    const auto mantissa = static_cast<double>(magnitude & ((1u << mantissa_bits) - 1));
    const int exponent = static_cast<int>(magnitude >> mantissa_bits);
    const double unit = std::ldexp(1.0, -static_cast<int>(mantissa_bits));
    return exponent == 0 ? std::ldexp(mantissa * unit, 1 - bias)
                         : std::ldexp(1 + mantissa * unit, exponent - bias);
  }
  // The code nearest to a finite x >= 0, ties to the even code: by looking at all.
  uint32_t nearest(double x) const {
    uint32_t low = 0, high = largest;
    while (low < high) {  // the largest code whose value is not above x
      const uint32_t middle = (low + high + 1) / 2;
      if (value(middle) <= x)
        low = middle;
      else
        high = middle - 1;
    }
    if (low == largest) return low;
    const double below = x - value(low), above = value(low + 1) - x;
    return below < above ? low : above < below ? low + 1 : low + (low & 1);
  }
};

const Format kFormats[] = {
    {"f16", 5, 10, 15, 0x7bff, true, [](uint32_t c) { return f32_from_f16(static_cast<uint16_t>(c)); },
     [](float x) -> uint32_t { return f16_from_f32(x); }},
    {"bf16", 8, 7, 127, 0x7f7f, true, [](uint32_t c) { return f32_from_bf16(static_cast<uint16_t>(c)); },
     [](float x) -> uint32_t { return bf16_from_f32(x); }},
    {"e4m3", 4, 3, 7, 0x7e, false, [](uint32_t c) { return f32_from_e4m3(static_cast<uint8_t>(c)); },
     [](float x) -> uint32_t { return e4m3_from_f32(x); }},
    {"e5m2", 5, 2, 15, 0x7b, true, [](uint32_t c) { return f32_from_e5m2(static_cast<uint8_t>(c)); },
     [](float x) -> uint32_t { return e5m2_from_f32(x); }},
    {"e2m1", 2, 1, 1, 7, false, [](uint32_t c) { return f32_from_e2m1(static_cast<uint8_t>(c)); },
     [](float x) -> uint32_t { return e2m1_from_f32(x); }},
};

class FloatConvert : public testing::TestWithParam<Format> {};
INSTANTIATE_TEST_SUITE_P(Formats, FloatConvert, testing::ValuesIn(kFormats),
                         [](const auto& format) { return format.param.name; });

TEST_P(FloatConvert, WidensEveryFiniteCodeExactlyAndComesBack) {
  const Format& f = GetParam();
  for (uint32_t code = 0; code <= f.largest; ++code) {
    const auto value = static_cast<float>(f.value(code));
    ASSERT_EQ(static_cast<double>(value), f.value(code));
    ASSERT_EQ(f.widen(code), value) << code;
    ASSERT_EQ(bits_of(f.widen(code | f.sign_bit())), bits_of(-value)) << code;
    ASSERT_EQ(f.narrow(value), code);
    ASSERT_EQ(f.narrow(-value), code | f.sign_bit());
  }
}

TEST_P(FloatConvert, RoundsToTheNearestBetweenAnyTwoCodes) {
  const Format& f = GetParam();
  for (uint32_t code = 0; code < f.largest; ++code) {
    const double middle = (f.value(code) + f.value(code + 1)) / 2;
    const auto tie = static_cast<float>(middle);
    for (const float x : {std::nextafter(tie, 0.0f), tie, std::nextafter(tie, INFINITY)}) {
      ASSERT_EQ(f.narrow(x), f.nearest(x)) << x;
      ASSERT_EQ(f.narrow(-x), f.nearest(x) | f.sign_bit()) << x;
    }
  }
}

TEST_P(FloatConvert, RoundsAnyFloatToTheNearest) {
  const Format& f = GetParam();
  std::mt19937 random(7);
  for (int i = 0; i < 200'000; ++i) {
    // All exponents of fp32, and as many again in the range of the format.
    uint32_t bits = random() & 0x7fffffffu;
    if (i % 2)
      bits = (bits & 0x7fffffu) |
             ((127u - static_cast<uint32_t>(f.bias) - f.mantissa_bits + random() % (1u << f.exponent_bits))
              << 23);
    const float x = f32_from_bits(bits & 0x7fffffffu);
    if (!is_finite(x)) continue;
    ASSERT_EQ(f.narrow(x), f.nearest(x)) << x;
    ASSERT_EQ(f.narrow(-x), f.nearest(x) | f.sign_bit()) << x;
  }
}

TEST_P(FloatConvert, KeepsWhatIsNotFiniteAsFarAsTheFormatHasIt) {
  const Format& f = GetParam();
  const float inf = std::numeric_limits<float>::infinity();
  const uint32_t all_ones = f.sign_bit() - 1;
  if (f.has_infinity) {
    EXPECT_EQ(f.narrow(inf), f.largest + 1);
    EXPECT_EQ(f.narrow(-inf), (f.largest + 1) | f.sign_bit());
    EXPECT_EQ(f.widen(f.largest + 1), inf);
    EXPECT_EQ(f.widen((f.largest + 1) | f.sign_bit()), -inf);
  } else {
    EXPECT_EQ(f.narrow(inf), f.largest);
    EXPECT_EQ(f.narrow(-inf), f.largest | f.sign_bit());
  }
  for (const uint32_t payload : {0x400000u, 1u, 0x7fffffu}) {
    const uint32_t quiet = f.narrow(f32_from_bits(0x7f800000u | payload));
    EXPECT_EQ(f.narrow(f32_from_bits(0xff800000u | payload)), quiet | (quiet ? f.sign_bit() : 0));
    if (quiet == 0) continue;  // E2M1 has no NaN
    EXPECT_TRUE(std::isnan(f.widen(quiet)));
    EXPECT_EQ(bits_of(f.widen(quiet)), 0x7fc00000u);
    EXPECT_EQ(bits_of(f.widen(quiet | f.sign_bit())), 0xffc00000u);
  }
  for (uint32_t code = f.largest + (f.has_infinity ? 2 : 1); code <= all_ones; ++code)
    EXPECT_TRUE(std::isnan(f.widen(code))) << code;
}

TEST(FloatConvert, E8m0IsAPowerOfTwo) {
  for (int code = 0; code < 255; ++code)
    EXPECT_EQ(f32_from_e8m0(static_cast<uint8_t>(code)), std::ldexp(1.0, code - 127)) << code;
  EXPECT_TRUE(std::isnan(f32_from_e8m0(255)));
}

TEST(FloatConvert, TiesOfE2m1GoToTheEvenCode) {
  const float ties[] = {.25f, .75f, 1.25f, 1.75f, 2.5f, 3.5f, 5};
  const float values[] = {0, 1, 1, 2, 2, 4, 4};
  for (int i = 0; i < 7; ++i) EXPECT_EQ(f32_from_e2m1(e2m1_from_f32(ties[i])), values[i]);
}

TEST(FloatConvert, SaysWhatSaturates) {
  EXPECT_FALSE(saturates_f16(65519.996f));
  EXPECT_TRUE(saturates_f16(65520));
  EXPECT_TRUE(saturates_f16(-65520));
  EXPECT_EQ(f16_from_f32(65520), 0x7bff);
  EXPECT_FALSE(saturates_bf16(f32_from_bits(0x7f7f7fff)));
  EXPECT_TRUE(saturates_bf16(f32_from_bits(0x7f7f8000)));
  EXPECT_FALSE(saturates_bf16(f32_from_bits(0x7f800000)));
  EXPECT_FALSE(saturates_f16(f32_from_bits(0x7fc00000)));
  EXPECT_FALSE(saturates(Float::f32, 3e38f));
}

TEST(FloatConvert, LoadsAndStoresByType) {
  float f32[2] = {};
  uint16_t f16[2] = {}, bf16[2] = {};
  store(Float::f32, f32, 1, 0.1f);
  store(Float::f16, f16, 1, 0.1f);
  store(Float::bf16, bf16, 1, 0.1f);
  EXPECT_EQ(load(Float::f32, f32, 1), 0.1f);
  EXPECT_EQ(f16[1], 0x2e66);
  EXPECT_EQ(bf16[1], 0x3dcd);
  EXPECT_EQ(load(Float::f16, f16, 1), rounded_to(Float::f16, 0.1f));
  EXPECT_EQ(load(Float::bf16, bf16, 1), rounded_to(Float::bf16, 0.1f));
}

}  // namespace
}  // namespace mlq::kernels
