// Blocks worked out by hand: what each format does with ties, signs, zeros, tiny and huge numbers, and where
// its bits lie.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/block_int.h"
#include "kernels/cast.h"
#include "kernels/ec.h"
#include "kernels/float8.h"
#include "kernels/lut4_math.h"
#include "kernels/mx.h"
#include "kernels/nvfp4.h"
#include "kernels/qwz.h"
#include "kernels/sums.h"
#include "kernels/xxh3_leaves.h"
#include "tests/kernels/inputs.h"

namespace mlq::kernels::test {
namespace {

using Bytes = std::vector<uint8_t>;
using Floats = std::vector<float>;

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Result {
  Bytes codes;
  Floats scales, values;
  EncodeCounts counts;
  uint64_t saturated = 0;
};

Result block_int(const BlockIntSpec& spec, const Floats& x, uint64_t block, uint64_t rows = 1) {
  const BlockLayout layout{rows, x.size() / rows, block};
  Result out{Bytes(layout.code_bytes(spec.bits)), {}, Floats(x.size()), {}, 0};
  Array scales(spec.scale, layout.blocks());
  block_int_encode_cpu(spec, layout, Float::f32, x.data(), out.codes.data(), scales.data(), &out.counts);
  block_int_decode_cpu(spec, layout, out.codes.data(), scales.data(), Float::f32, out.values.data(),
                       &out.saturated);
  for (uint64_t i = 0; i < layout.blocks(); ++i) out.scales.push_back(scales.at(i));
  return out;
}

TEST(BlockInt, AbsmaxPutsTheExtremeOnTheGridAndTiesOnEvenCodes) {
  const Result r =
      block_int({8, Grid::absmax, Float::f32, false}, {127, -127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 0}, 64);
  EXPECT_EQ(r.scales, Floats{1});
  EXPECT_EQ(r.codes, (Bytes{127, 0x81, 0, 2, 2, 0, 0xfe, 0}));
  EXPECT_EQ(r.values, (Floats{127, -127, 0, 2, 2, 0, -2, 0}));
}

TEST(BlockInt, SignGivesTheFirstExtremeTheLongerSide) {
  const Result negative = block_int({8, Grid::sign, Float::f32, false}, {-128, 128, 3, -3}, 64);
  EXPECT_EQ(negative.scales, Floats{1});
  EXPECT_EQ(negative.values, (Floats{-128, 127, 3, -3}));
  const Result positive = block_int({8, Grid::sign, Float::f32, false}, {128, -128, 3, -3}, 64);
  EXPECT_EQ(positive.scales, Floats{-1});
  EXPECT_EQ(positive.values, (Floats{128, -127, 3, -3}));
  const Result kept = block_int({8, Grid::sign, Float::f32, true}, {127, -127, 3, -3}, 64);
  EXPECT_EQ(kept.scales, Floats{1});
}

TEST(BlockInt, NibblesLieLowFirstAndRowsBeginOnAByte) {
  // Scale 1: codes -8 ... 7, stored with 8 more.
  const Result r = block_int({4, Grid::sign, Float::bf16, false}, {-8, 7, 1, -8, 0, 2}, 16, 2);
  EXPECT_EQ(r.codes, (Bytes{0xf0, 0x09, 0x80, 0x0a}));
  EXPECT_EQ(r.values, (Floats{-8, 7, 1, -8, 0, 2}));
}

TEST(BlockInt, EightThreeBitCodesLieInThreeBytes) {
  const Result r = block_int({3, Grid::sign, Float::bf16, false}, {-4, -3, -2, -1, 0, 1, 2, 3}, 16);
  // Codes 0 ... 7, three bits each from the lowest on: 0b111'110'101'100'011'010'001'000.
  EXPECT_EQ(r.codes, (Bytes{0x88, 0xc6, 0xfa}));
  EXPECT_EQ(r.values, (Floats{-4, -3, -2, -1, 0, 1, 2, 3}));
}

TEST(BlockInt, TwoBitCodesLieLowFirst) {
  const Result r = block_int({2, Grid::sign, Float::bf16, false}, {-2, -1, 0, 1, 1}, 16);
  EXPECT_EQ(r.codes, (Bytes{0xe4, 0x03}));
  EXPECT_EQ(r.values, (Floats{-2, -1, 0, 1, 1}));
}

TEST(BlockInt, MseTakesTheLowestOfEqualScales) {
  // Only one element: every scale at which it lies on the grid is as good, k = 16 clips it.
  const Result r = block_int({8, Grid::mse, Float::f32, false}, {-128}, 16);
  EXPECT_EQ(r.values, Floats{-128});
  EXPECT_EQ(r.scales, Floats{1});  // k = 32; no lower one reaches -128, higher ones are ties at best
}

TEST(BlockInt, AllZeroBlocksAreZeroAndNotCounted) {
  for (const Grid grid : {Grid::absmax, Grid::sign, Grid::mse}) {
    const Result r = block_int({4, grid, Float::bf16, false}, {0, -0.0f, 0, 0}, 16);
    EXPECT_EQ(bits_of(r.scales[0]), 0u);
    EXPECT_EQ(r.codes, (Bytes{0x88, 0x88}));
    EXPECT_EQ(r.counts.flushed_blocks, 0u);
  }
}

TEST(BlockInt, ScalesBelowTheSmallestNormalAreFlushedAndCounted) {
  for (const Grid grid : {Grid::absmax, Grid::sign, Grid::mse}) {
    const Result r = block_int({8, grid, Float::f32, false}, {0x1p-127f, 0x1p-130f}, 16);
    EXPECT_EQ(bits_of(r.scales[0]), 0u);
    EXPECT_EQ(r.codes, (Bytes{0, 0}));
    EXPECT_EQ(r.counts.flushed_blocks, 1u);
  }
  // fp16 underflows long before.
  EXPECT_EQ(block_int({8, Grid::absmax, Float::f16, false}, {1e-6f}, 16).counts.flushed_blocks, 1u);
  EXPECT_EQ(block_int({8, Grid::absmax, Float::bf16, false}, {1e-6f}, 16).counts.flushed_blocks, 0u);
}

TEST(BlockInt, F16ScalesOverflowAndAreCounted) {
  const Result r = block_int({8, Grid::absmax, Float::f16, false}, {1e7f, -3e7f, 100}, 16);
  EXPECT_EQ(r.scales, Floats{65504});
  EXPECT_EQ(r.counts.scale_overflow, 1u);
  EXPECT_EQ(r.values, (Floats{127 * 65504.0f, -127 * 65504.0f, 0}));
  EXPECT_EQ(block_int({8, Grid::absmax, Float::bf16, false}, {3e7f}, 16).counts.scale_overflow, 0u);
}

TEST(BlockInt, WhatIsNotFiniteIsZeroAndCounted) {
  const Result r = block_int({8, Grid::absmax, Float::f32, false}, {127, std::nanf(""), kInf, -kInf, 1}, 16);
  EXPECT_EQ(r.values, (Floats{127, 0, 0, 0, 1}));
  EXPECT_EQ(r.counts.nonfinite, 3u);
}

TEST(BlockInt, HugeValuesDecodeToTheLargestAndAreCounted) {
  const float largest = std::numeric_limits<float>::max();
  const BlockLayout layout{1, 2, 16};
  const Floats x{-largest, largest};
  Bytes codes(2);
  Array scale(Float::bf16, 1), out(Float::f16, 2);
  EncodeCounts counts;
  uint64_t saturated = 0;
  const BlockIntSpec spec{8, Grid::absmax, Float::bf16, false};
  block_int_encode_cpu(spec, layout, Float::f32, x.data(), codes.data(), scale.data(), &counts);
  EXPECT_EQ(codes, (Bytes{0x81, 127}));
  block_int_decode_cpu(spec, layout, codes.data(), scale.data(), Float::f16, out.data(), &saturated);
  EXPECT_EQ(out.at(0), -65504);
  EXPECT_EQ(out.at(1), 65504);
  EXPECT_EQ(saturated, 2u);
}

TEST(Qwz, CutsThePositiveExtremeAlone) {
  const BlockIntSpec spec{4, Grid::sign, Float::f32, false};
  const Floats x = {8, -8, 6.5f, -0.5f, 0.25f, 4, -4, kInf, -2, 1, 0, 0, 0, 0, 0, 0};
  const BlockLayout layout{1, x.size(), 8};
  Bytes codes(layout.code_bytes(spec.bits));
  Floats scales(2), values(x.size());
  EncodeCounts counts;
  uint64_t saturated = 0;
  qwz_encode_cpu(spec, layout, Float::f32, x.data(), codes.data(), scales.data(), &counts);
  block_int_decode_cpu(spec, layout, codes.data(), scales.data(), Float::f32, values.data(), &saturated);
  EXPECT_EQ(scales, (Floats{1, 0.25f}));
  EXPECT_EQ(values, (Floats{7, -8, 6, 0, 0, 4, -4, 0, -2, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(counts.nonfinite, 1u);
}

TEST(Lut4, ThresholdsAreThoseOfBitsandbytes) {
  for (int i = 0; i < 15; ++i) {
    // Midpoints, to one unit in the last place.
    const float at = kNf4Midpoints.at[i];
    const double middle = (static_cast<double>(kNf4Values.at[i]) + kNf4Values.at[i + 1]) / 2;
    EXPECT_LE(std::fabs(at - middle), 0x1p-24 * std::fabs(middle)) << i;
    EXPECT_EQ(nf4_code(kNf4Midpoints, at), i);  // strictly above
    EXPECT_EQ(nf4_code(kNf4Midpoints, std::nextafter(at, 2.0f)), i + 1);
  }
  EXPECT_EQ(bits_of(kNf4Midpoints.at[0]), 0xbf591cd9u);
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(fp4_code(kFp4Steps, kFp4Steps.above[i]), kFp4Steps.code[i]);
    EXPECT_EQ(fp4_code(kFp4Steps, std::nextafter(kFp4Steps.above[i], 2.0f)), kFp4Steps.code[i + 1]);
    EXPECT_EQ(fp4_code(kFp4Steps, -kFp4Steps.above[i]), kFp4Steps.code[i] | 8);
  }
  EXPECT_EQ(fp4_code(kFp4Steps, -0.0f), 0);
}

TEST(Lut4, EveryValueOfATableComesBack) {
  for (const Table4 table : {Table4::nf4, Table4::fp4}) {
    const float* values = lut4_values(table);
    for (unsigned code = 0; code < 16; ++code) {
      const float v = values[code];
      const unsigned got = table == Table4::nf4 ? nf4_code(kNf4Midpoints, v) : fp4_code(kFp4Steps, v);
      EXPECT_EQ(values[got], v) << code;
    }
    EXPECT_EQ(*std::max_element(values, values + 16), 1);
  }
}

Result lut4(const Lut4Spec& spec, const Floats& x) {
  const BlockLayout layout{1, x.size(), 64};
  Result out{Bytes(layout.code_bytes(4)), {}, Floats(x.size()), {}, 0};
  Array scales(spec.scale, 1);
  lut4_encode_cpu(spec, layout, Float::f32, x.data(), out.codes.data(), scales.data(), &out.counts);
  lut4_decode_cpu(spec, layout, out.codes.data(), scales.data(), Float::f32, out.values.data(),
                  &out.saturated);
  out.scales = {scales.at(0)};
  return out;
}

TEST(Lut4, NibblesLieInTheOrderThatIsAskedFor) {
  const Floats x{-2, 2, 0};
  EXPECT_EQ(lut4({Table4::nf4, Float::f32, NibbleOrder::low_first}, x).codes, (Bytes{0xf0, 0x07}));
  EXPECT_EQ(lut4({Table4::nf4, Float::f32, NibbleOrder::high_first}, x).codes, (Bytes{0x0f, 0x70}));
  EXPECT_EQ(lut4({Table4::fp4, Float::f32, NibbleOrder::low_first}, x).codes, (Bytes{0x3b, 0x00}));
}

TEST(Lut4, AllZeroBlocksHaveTheCodeOfZero) {
  EXPECT_EQ(lut4({}, {0, 0, 0}).codes, (Bytes{0x77, 0x07}));
  EXPECT_EQ(lut4({Table4::fp4, Float::f32, NibbleOrder::low_first}, {0, -0.0f}).codes, (Bytes{0x00}));
}

TEST(Float8, ScalesToTheLargestNumber) {
  const Floats x{896, -896, 2, 0.001f, -0.0f};
  const BlockLayout layout{1, 5, 128};
  Bytes codes(5);
  float scale = 0;
  EncodeCounts counts;
  float8_encode_cpu({}, layout, Float::f32, x.data(), codes.data(), &scale, &counts);
  EXPECT_EQ(scale, 2);
  EXPECT_EQ(codes, (Bytes{0x7e, 0xfe, 0x38, 0x00, 0x80}));
  const Floats zeros(5, -0.0f);
  float8_encode_cpu({}, layout, Float::f32, zeros.data(), codes.data(), &scale, &counts);
  EXPECT_EQ(codes, Bytes(5, 0));
}

TEST(Float8, E5m2IsACastThatSaturates) {
  const Floats x{1e6f, -57344, 1, 1.125f, kInf};
  const BlockLayout layout{1, 5, 5};
  Bytes codes(5);
  EncodeCounts counts;
  float8_encode_cpu({Float8::e5m2, Float::f32}, layout, Float::f32, x.data(), codes.data(), nullptr, &counts);
  EXPECT_EQ(codes, (Bytes{0x7b, 0xfb, 0x3c, 0x3c, 0x00}));
  EXPECT_EQ(counts.nonfinite, 1u);
}

Result mx(const MxSpec& spec, const Floats& x) {
  const BlockLayout layout{1, x.size(), kMxBlock};
  Result out{Bytes(layout.code_bytes(spec.element == MxElement::e4m3 ? 8 : 4)), {}, Floats(x.size()), {}, 0};
  Bytes scales(layout.blocks());
  mx_encode_cpu(spec, layout, Float::f32, x.data(), out.codes.data(), scales.data(), &out.counts);
  mx_decode_cpu(spec, layout, out.codes.data(), scales.data(), Float::f32, out.values.data(), &out.saturated);
  for (const uint8_t scale : scales) out.scales.push_back(scale);
  return out;
}

TEST(Mx, RulesDifferWhereTheFloorClips) {
  // 7 = 1.75 * 2^2: by the floor the exponent is 0 and 7 is cut to 6.
  EXPECT_EQ(mx({MxElement::e2m1, MxScale::floor}, {7, 1}).values, (Floats{6, 1}));
  const Result even = mx({MxElement::e2m1, MxScale::even}, {7, 1});
  EXPECT_EQ(even.scales, Floats{128});
  EXPECT_EQ(even.values, (Floats{8, 1}));
  // Both lose 1, so the lower exponent stays; two sevens decide the same way, 7.5 does not.
  EXPECT_EQ(mx({MxElement::e2m1, MxScale::best}, {7, 1}).scales, Floats{127});
  EXPECT_EQ(mx({MxElement::e2m1, MxScale::best}, {7.5f, 1}).scales, Floats{128});
}

TEST(Mx, HoldsZerosSignsAndTheSmallestExponent) {
  const Result zero = mx({}, {0, -0.0f, 0});
  EXPECT_EQ(zero.scales, Floats{0});
  EXPECT_EQ(zero.codes, (Bytes{0, 0}));
  EXPECT_EQ(mx({}, {-0.0f, 4}).codes, (Bytes{0x68}));  // scale 2^0: -0 and 4
  const Result tiny = mx({}, {0x1p-127f, 0x1p-130f});
  EXPECT_EQ(tiny.scales, Floats{0});
  EXPECT_EQ(tiny.values, (Floats{0x1p-127f, 0}));
  EXPECT_EQ(mx({MxElement::e4m3, MxScale::floor}, {448, -1}).codes, (Bytes{0x7e, 0xb8}));
}

Result nvfp4(const Nvfp4Spec& spec, const Floats& x) {
  const BlockLayout layout{1, x.size(), kNvfp4Block};
  Result out{Bytes(layout.code_bytes(4)), {}, Floats(x.size()), {}, 0};
  Bytes scales(layout.blocks());
  nvfp4_encode_cpu(spec, layout, Float::f32, x.data(), out.codes.data(), scales.data(), &out.counts);
  nvfp4_decode_cpu(spec, layout, out.codes.data(), scales.data(), Float::f32, out.values.data(),
                   &out.saturated);
  for (const uint8_t scale : scales) out.scales.push_back(scale);
  return out;
}

TEST(Nvfp4, TheFactorUsesTheWholeRangeOfScales) {
  EXPECT_EQ(nvfp4_factor(false, 6), 448);
  EXPECT_EQ(nvfp4_factor(true, 6), 256);
  EXPECT_EQ(nvfp4_factor(false, 0), 1);
  EXPECT_EQ(nvfp4_factor(false, 0x1p-130f), 1);
}

TEST(Nvfp4, ABlockIsScaledToSix) {
  const Result r = nvfp4({448, false, false}, {6, -3, 0.5f, 0.25f});
  EXPECT_EQ(r.scales, Floats{0x7e});
  EXPECT_EQ(r.values, (Floats{6, -3, 0.5f, 0}));
  EXPECT_EQ(r.codes, (Bytes{0xd7, 0x01}));
}

TEST(Nvfp4, FourIsTakenWhereItIsBetter) {
  // Scaled to 6, the value 5 lies between 4 and 6; scaled to 4, with a scale of 1.5, 4.5 is exact.
  const Result r = nvfp4({256, true, false}, {6, 4.5f, 4.5f, 1.5f});
  EXPECT_EQ(r.values, (Floats{6, 4.5f, 4.5f, 1.5f}));
  EXPECT_EQ(nvfp4({256, false, false}, {6, 4.5f, 4.5f, 1.5f}).values[1], 4);
}

TEST(Nvfp4, ZeroBlocksMayHaveTheScaleAnEighth) {
  EXPECT_EQ(nvfp4({1, false, false}, {0, 0}).scales, Floats{0});
  EXPECT_EQ(nvfp4({1, false, true}, {0, -0.0f}).scales, Floats{0x20});
  EXPECT_EQ(nvfp4({1, false, true}, {0, -0.0f}).codes, Bytes{0});
  const Result tiny = nvfp4({1, false, true}, {1e-6f});
  EXPECT_EQ(tiny.scales, Floats{0});
  EXPECT_EQ(tiny.counts.flushed_blocks, 1u);
}

TEST(Ec, EscapesAreExactAndInOrder) {
  const Floats x{1, -127, 127.5f, 128, -1e30f, -0.5f, 1.5f, kInf};
  Bytes codes(x.size());
  Floats escapes(x.size()), out(x.size());
  EncodeCounts counts;
  uint64_t saturated = 0;
  EXPECT_EQ(ec_encode_cpu(1, x.size(), Float::f32, x.data(), codes.data(), nullptr, escapes.data(), &counts),
            3u);
  EXPECT_EQ(codes, (Bytes{129, 1, 0, 0, 0, 128, 130, 128}));
  EXPECT_EQ(escapes[0], 127.5f);
  EXPECT_EQ(counts.nonfinite, 1u);
  ec_decode_cpu(1, x.size(), codes.data(), nullptr, Float::f32, escapes.data(), Float::f32, out.data(),
                &saturated);
  EXPECT_EQ(out, (Floats{1, -127, 127.5f, 128, -1e30f, 0, 2, 0}));
}

TEST(Ec, WideCodesLieInTwoPlanes) {
  const Floats x{1, -32767, 32768, 300};
  Bytes low(4), high(4);
  Floats escapes(4);
  EncodeCounts counts;
  EXPECT_EQ(ec_encode_cpu(1, 4, Float::f32, x.data(), low.data(), high.data(), escapes.data(), &counts), 1u);
  EXPECT_EQ(low, (Bytes{1, 1, 0, 44}));
  EXPECT_EQ(high, (Bytes{0x80, 0, 0, 0x81}));
}

TEST(Cast, CutsAndCounts) {
  const Floats x{70000, -65519, kInf, std::nanf("")};
  Array out(Float::f16, 4);
  uint64_t saturated = 0;
  cast_cpu(4, Float::f32, x.data(), Float::f16, out.data(), &saturated);
  EXPECT_EQ(out.at(0), 65504);
  EXPECT_EQ(out.at(1), -65504);
  EXPECT_EQ(out.at(2), kInf);
  EXPECT_TRUE(std::isnan(out.at(3)));
  EXPECT_EQ(saturated, 1u);
}

TEST(Sums, AreExactOnIntegers) {
  Floats x(kSumGroup + 3);
  double squares = 0;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i % 7) - 3);
  for (size_t i = 0; i < kSumGroup; ++i) squares += x[i] * x[i];
  ValueSums sums[2];
  value_sums_cpu(x.size(), Float::f32, x.data(), sums);
  EXPECT_EQ(sum_groups(x.size()), 2u);
  EXPECT_EQ(sums[0].x2, squares);
  EXPECT_EQ(sums[0].min, -3);
  EXPECT_EQ(sums[0].max, 3);
  EXPECT_EQ(sums[0].extreme, -3);
  EXPECT_EQ(sums[0].zero, kSumGroup / 7);
  EXPECT_EQ(sums[1].x1, static_cast<double>(x[kSumGroup]) + x[kSumGroup + 1] + x[kSumGroup + 2]);
}

TEST(Sums, CountWhatIsSpecial) {
  const Array x = [] {
    Array a(Float::f16, 5);
    const float values[] = {kInf, std::nanf(""), 0x1p-24f, -0.0f, -2};
    for (uint64_t i = 0; i < 5; ++i) a.set(i, values[i]);
    return a;
  }();
  ValueSums sums;
  value_sums_cpu(5, Float::f16, x.data(), &sums);
  EXPECT_EQ(sums.inf, 1u);
  EXPECT_EQ(sums.nan, 1u);
  EXPECT_EQ(sums.subnormal, 1u);
  EXPECT_EQ(sums.zero, 1u);
  EXPECT_EQ(sums.extreme, -2);
  EXPECT_EQ(sums.max, 0x1p-24f);
  uint64_t exponents[256] = {};
  exponent_counts(5, Float::f16, x.data(), exponents);
  EXPECT_EQ(exponents[31], 2u);
  EXPECT_EQ(exponents[0], 2u);
  EXPECT_EQ(exponents[16], 1u);
}

TEST(Sums, ErrorsAreOfTheDecodedLessTheRead) {
  const Floats x{1, 2, kInf}, y{1.5f, 1, 5};
  ErrorSums sums;
  error_sums_cpu(3, Float::f32, x.data(), Float::f32, y.data(), &sums);
  EXPECT_EQ(sums.x2, 5);
  EXPECT_EQ(sums.e1, 0.5 - 1 + 5);
  EXPECT_EQ(sums.e2, 0.25 + 1 + 25);
  EXPECT_EQ(sums.absmax, 2);
  EXPECT_EQ(sums.max_error, 5);
}

TEST(Xxh3Leaves, HashesEachLeafAlone) {
  Bytes data(kHashLeaf + 10);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i * 7);
  Bytes both(32), second(16);
  xxh3_leaves_cpu(data.data(), data.size(), both.data());
  xxh3_leaves_cpu(data.data() + kHashLeaf, 10, second.data());
  EXPECT_TRUE(std::equal(second.begin(), second.end(), both.begin() + 16));
  // XXH3-128 of no bytes is known, but no byte has no leaf; of "a" it is a96faf705af16834e6c632b61e964e1f.
  xxh3_leaves_cpu("a", 1, second.data());
  EXPECT_EQ(second, (Bytes{0xa9, 0x6f, 0xaf, 0x70, 0x5a, 0xf1, 0x68, 0x34, 0xe6, 0xc6, 0x32, 0xb6, 0x1e, 0x96,
                           0x4e, 0x1f}));
}

}  // namespace
}  // namespace mlq::kernels::test
