// The sums of gram_block.h: the tree by hand-made cases, the values against exact sums, and the SIMD versions
// against the twin.
#include <cmath>
#include <limits>

#include "kernels/gram_block_math.h"
#include "tests/kernels/gram_inputs.h"
#include "tests/kernels/simd_targets.h"

namespace mlq::kernels::test {
namespace {

// M10 where group 0 has the values at their indices, 0 elsewhere, and group 1 is 1 everywhere.
double sum_of(const std::vector<std::pair<uint64_t, float>>& values) {
  std::vector<float> x(kGramBlock, 0.0F), ones(kGramBlock, 1.0F);
  for (const auto& [at, value] : values) x[at] = value;
  GramGroups groups;
  groups.count = 2;
  groups.data[0] = x.data();
  groups.data[1] = ones.data();
  groups.samples[0] = groups.samples[1] = 1;
  groups.per_batch = 0.5;
  GramResult result(groups, kGramBlock);
  gram_blocks_cpu(groups, kGramBlock, result.sums.data(), result.nonfinite.data());
  return result.sums[1];
}

// 2^53 + 1 is rounded to 2^53, so these tell in which order sums are made.
constexpr float kLarge = 0x1p53F;

TEST(GramBlock, ALaneAddsItsElementsInOrder) {
  EXPECT_EQ(sum_of({{0, kLarge}, {16, 1.0F}, {32, 1.0F}}), 0x1p53);
  EXPECT_EQ(sum_of({{0, 1.0F}, {16, 1.0F}, {32, kLarge}}), 0x1p53 + 2);
}

TEST(GramBlock, NeighbouringLanesAreAddedFirst) {
  EXPECT_EQ(sum_of({{0, kLarge}, {1, 1.0F}, {2, 1.0F}}), 0x1p53);
  EXPECT_EQ(sum_of({{0, kLarge}, {2, 1.0F}, {3, 1.0F}}), 0x1p53 + 2);
}

TEST(GramBlock, NeighbouringStripsAreAddedFirst) {
  EXPECT_EQ(sum_of({{0, kLarge}, {1024, 1.0F}, {2048, 1.0F}}), 0x1p53);
  EXPECT_EQ(sum_of({{0, kLarge}, {2048, 1.0F}, {3072, 1.0F}}), 0x1p53 + 2);
}

TEST(GramBlock, StripsAreAddedBeforeLanes) {
  EXPECT_EQ(sum_of({{0, kLarge}, {1, 1.0F}, {1025, 1.0F}}), 0x1p53 + 2);
}

// Sums without rounding errors to speak of: Knuth's TwoSum, and for products Dekker's splitting by fma.
struct DoubleDouble {
  double high = 0, low = 0;
  void add(double x) {
    const double sum = high + x, back = sum - high;
    low += (high - (sum - back)) + (x - back);
    high = sum;
  }
  void add_product(double a, double b) {
    const double product = a * b;
    add(product);
    low += std::fma(a, b, -product);
  }
  double value() const { return high + low; }
};

TEST(GramBlock, IsTheExactSumToManyDigits) {
  constexpr uint64_t kElems = kGramBlock + 12345;
  for (const GramType type : kGramTypes) {
    SCOPED_TRACE(name_of(type));
    const auto data = gram_input(type, 3, kElems);
    const GramGroups groups = gram_groups(type, data);
    GramResult result(groups, kElems);
    gram_blocks_simd(groups, kElems, result.sums.data(), result.nonfinite.data());
    const unsigned width = gram_sums(3);
    unsigned at = 0;
    for (unsigned i = 0; i < 3; ++i) {
      for (unsigned j = 0; j <= i; ++j, ++at) {
        DoubleDouble exact;
        for (uint64_t e = 0; e < kElems; ++e)
          exact.add_product(gram_element(groups, i, e), gram_element(groups, j, e));
        EXPECT_NEAR(result.sums[at] + result.sums[width + at], exact.value(), 1e-13 * exact.value());
      }
    }
    // n_i |x_i - mean|^2, by the mean itself.
    DoubleDouble between;
    for (uint64_t e = 0; e < kElems; ++e) {
      double mean = 0;
      for (unsigned i = 0; i < 3; ++i) mean += groups.samples[i] * gram_element(groups, i, e);
      mean *= groups.per_batch;
      for (unsigned i = 0; i < 3; ++i) {
        const double distance = gram_element(groups, i, e) - mean;
        between.add(groups.samples[i] * distance * distance);
      }
    }
    EXPECT_NEAR(result.sums[at] + result.sums[width + at], between.value(), 1e-12 * between.value());
  }
}

TEST(GramBlock, EqualGroupsHaveNothingBetweenThem) {
  for (const GramType type : kGramTypes) {
    const std::vector<std::vector<uint8_t>> data(4, gram_input(type, 1, 5000)[0]);
    const GramGroups groups = gram_groups(type, data);
    GramResult result(groups, 5000);
    gram_blocks_simd(groups, 5000, result.sums.data(), result.nonfinite.data());
    EXPECT_EQ(result.sums.back(), 0) << name_of(type);
    EXPECT_EQ(result.sums.front(), result.sums[gram_products(4) - 1]) << name_of(type);
  }
}

TEST(GramBlock, OfNothingWritesNothing) {
  GramGroups groups;
  groups.count = 2;
  gram_blocks_cpu(groups, 0, nullptr, nullptr);
  gram_blocks_simd(groups, 0, nullptr, nullptr);
}

TEST(GramBlock, SumsOfF64MayOverflow) {
  std::vector<double> x(100, 1e200);
  GramGroups groups;
  groups.type = GramType::f64;
  groups.count = 1;
  groups.data[0] = x.data();
  groups.samples[0] = 1;
  groups.per_batch = 1;
  GramResult result(groups, x.size());
  gram_blocks_simd(groups, x.size(), result.sums.data(), result.nonfinite.data());
  EXPECT_EQ(result.sums[0], std::numeric_limits<double>::infinity());
  EXPECT_EQ(result.nonfinite[0].count, 0U);
}

TEST(GramBlock, CountsWhatIsNotFiniteAndWhereItBegins) {
  constexpr uint64_t kElems = 2 * kGramBlock + 7;
  for (const GramType type : kGramTypes) {
    SCOPED_TRACE(name_of(type));
    auto data = gram_input(type, 2, kElems);
    const size_t width = size_of(type);
    std::vector<uint8_t> nan;
    append_element(type, std::numeric_limits<double>::quiet_NaN(), nan);
    for (const uint64_t at : {kGramBlock + 3, kGramBlock + 70, kElems - 1})
      std::memcpy(&data[1][at * width], nan.data(), width);
    const GramGroups groups = gram_groups(type, data);
    on_every_simd_target([&] {
      GramResult result(groups, kElems);
      gram_blocks_simd(groups, kElems, result.sums.data(), result.nonfinite.data());
      EXPECT_EQ(result.nonfinite[0].count, 0U);
      EXPECT_EQ(result.nonfinite[0].first, ~uint64_t{0});
      EXPECT_EQ(result.nonfinite[1].count, 3U);
      EXPECT_EQ(result.nonfinite[1].first, kGramBlock + 3);
      for (unsigned i = 0; i < gram_sums(2); ++i) {
        EXPECT_TRUE(std::isfinite(result.sums[i]));
        EXPECT_TRUE(std::isnan(result.sums[gram_sums(2) + i]));
      }
    });
  }
}

TEST(GramBlock, FindsInfinitiesOfEveryType) {
  for (const GramType type : {GramType::f32, GramType::f16, GramType::bf16, GramType::f64, GramType::e5m2}) {
    SCOPED_TRACE(name_of(type));
    std::vector<std::vector<uint8_t>> data(3);
    for (auto& group : data)
      for (int i = 0; i < 40; ++i)
        append_element(type, i == 30 ? -std::numeric_limits<double>::infinity() : 1, group);
    const GramGroups groups = gram_groups(type, data);
    on_every_simd_target([&] {
      GramResult result(groups, 40);
      gram_blocks_simd(groups, 40, result.sums.data(), result.nonfinite.data());
      for (const NonFinite& found : result.nonfinite) {
        EXPECT_EQ(found.count, 1U);
        EXPECT_EQ(found.first, 30U);
      }
    });
  }
}

TEST(GramBlockTwin, SimdGivesTheBitsOfTheCpu) {
  for (const GramType type : kGramTypes) {
    for (const unsigned count : {1U, 2U, 3U, 8U}) {
      for (const uint64_t elems : {uint64_t{1}, uint64_t{17}, uint64_t{1024}, 5 * kGramStrip + 1000,
                                   kGramBlock + 2 * kGramStrip + 15}) {
        SCOPED_TRACE(std::string(name_of(type)) + ", " + std::to_string(count) + " groups of " +
                     std::to_string(elems));
        const auto data = gram_input(type, count, elems);
        const GramGroups groups = gram_groups(type, data);
        GramResult expected(groups, elems);
        gram_blocks_cpu(groups, elems, expected.sums.data(), expected.nonfinite.data());
        on_every_simd_target([&] {
          GramResult result(groups, elems);
          gram_blocks_simd(groups, elems, result.sums.data(), result.nonfinite.data());
          ASSERT_EQ(difference(result, expected), "");
        });
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Samples that are alike and a power of two, which the SIMD versions take a shorter way for, and others.
TEST(GramBlockTwin, SimdGivesTheBitsOfTheCpuWhateverTheSamples) {
  const uint64_t elems = 3 * kGramStrip + 5;
  for (const GramType type : kGramTypes) {
    for (const unsigned count : {1U, 2U, 3U, 8U}) {
      for (const double samples : {1.0, 64.0, 96.0, 0x1p40}) {
        SCOPED_TRACE(std::string(name_of(type)) + ", " + std::to_string(count) + " groups of " +
                     std::to_string(samples) + " samples");
        const auto data = gram_input(type, count, elems);
        GramGroups groups = gram_groups(type, data);
        std::fill_n(groups.samples, count, samples);
        groups.per_batch = 1 / (samples * count);
        GramResult expected(groups, elems);
        gram_blocks_cpu(groups, elems, expected.sums.data(), expected.nonfinite.data());
        on_every_simd_target([&] {
          GramResult result(groups, elems);
          gram_blocks_simd(groups, elems, result.sums.data(), result.nonfinite.data());
          ASSERT_EQ(difference(result, expected), "");
        });
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(GramBlockTwin, SimdGivesTheBitsOfTheCpuAtAnyAddressAndForTheMostGroups) {
  const uint64_t elems = kGramStrip + 33;
  for (const GramType type : kGramTypes) {
    SCOPED_TRACE(name_of(type));
    auto data = gram_input(type, kMostGramGroups, elems);
    for (auto& bytes : data) bytes.insert(bytes.begin(), 1, 0x55);
    GramGroups groups = gram_groups(type, data);
    for (unsigned i = 0; i < groups.count; ++i) groups.data[i] = data[i].data() + 1;
    GramResult expected(groups, elems);
    gram_blocks_cpu(groups, elems, expected.sums.data(), expected.nonfinite.data());
    on_every_simd_target([&] {
      GramResult result(groups, elems);
      gram_blocks_simd(groups, elems, result.sums.data(), result.nonfinite.data());
      ASSERT_EQ(difference(result, expected), "");
    });
  }
}

// Subnormal numbers, both zeros, the largest there are.
TEST(GramBlockTwin, SimdGivesTheBitsOfTheCpuForUnusualNumbers) {
  for (const Input input : kInputs) {
    for (const Float type : kFloats) {
      SCOPED_TRACE(std::string(name_of(input)) + " " + name_of(type));
      const Array a = make_input(input, type, 3000, 1), b = make_input(input, type, 3000, 2);
      GramGroups groups;
      groups.type = type == Float::f32 ? GramType::f32 : type == Float::f16 ? GramType::f16 : GramType::bf16;
      groups.count = 2;
      groups.data[0] = a.data();
      groups.data[1] = b.data();
      groups.samples[0] = groups.samples[1] = type == Float::f32 ? 4 : 3;
      groups.per_batch = 0.5 / groups.samples[0];
      GramResult expected(groups, 3000);
      gram_blocks_cpu(groups, 3000, expected.sums.data(), expected.nonfinite.data());
      on_every_simd_target([&] {
        GramResult result(groups, 3000);
        gram_blocks_simd(groups, 3000, result.sums.data(), result.nonfinite.data());
        ASSERT_EQ(difference(result, expected), "");
      });
    }
  }
}

}  // namespace
}  // namespace mlq::kernels::test
