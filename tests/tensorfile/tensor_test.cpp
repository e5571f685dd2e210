#include "lib/tensorfile/tensor.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/tensorfile/files.h"

namespace mlq::tensorfile {
namespace {

TEST(Dtype, NamesAreReadBackToTheDtype) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    EXPECT_EQ(find_dtype(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(find_dtype("f32"), std::nullopt);
  EXPECT_EQ(find_dtype(""), std::nullopt);
}

TEST(Dtype, BitsAreThoseOfTheName) {
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    std::string digits(dtype_name(dtype));
    digits.erase(0, digits.find_first_of("0123456789"));
    EXPECT_EQ(bits_per_element(dtype), dtype == Dtype::boolean ? 8 : std::stoul(digits)) << dtype_name(dtype);
  }
}

TEST(Dtype, WeightsAreTheFourFloatsOfSixteenBitsAndMore) {
  std::string weights;
  for (size_t i = 0; i < kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    if (is_float_weight(dtype)) weights.append(dtype_name(dtype)).append(" ");
  }
  EXPECT_EQ(weights, "F16 BF16 F32 F64 ");
}

TEST(ElementCount, IsTheProductOrNothing) {
  using Shape = std::vector<uint64_t>;
  EXPECT_EQ(element_count({}), 1u);
  EXPECT_EQ(element_count(Shape{3, 4, 5}), 60u);
  EXPECT_EQ(element_count(Shape{1ull << 32, 1ull << 31}), 1ull << 63);
  EXPECT_EQ(element_count(Shape{1ull << 32, 1ull << 32}), std::nullopt);
  EXPECT_EQ(element_count(Shape{1ull << 32, 1ull << 32, 0}), 0u) << "an empty tensor, in whatever order";
}

TEST(ByteCount, IsExactOrNothing) {
  EXPECT_EQ(byte_count(3, Dtype::f32), 12u);
  EXPECT_EQ(byte_count(4, Dtype::f4), 2u);
  EXPECT_EQ(byte_count(3, Dtype::f4), std::nullopt);
  EXPECT_EQ(byte_count(4, Dtype::f6_e2m3), 3u);
  EXPECT_EQ(byte_count(2, Dtype::f6_e3m2), std::nullopt);
  EXPECT_EQ(byte_count(~0ull, Dtype::u8), ~0ull);
  EXPECT_EQ(byte_count(1ull << 61, Dtype::f64), std::nullopt);
  EXPECT_EQ(byte_count(1ull << 62, Dtype::f4), std::nullopt);
}

TEST(MakeTensor, NamesTheTensorThatIsTooLarge) {
  EXPECT_EQ(test::error_of([] {
              make_tensor("a", "w", Dtype::u8, {1ull << 32, 1ull << 32});
            }),
            "3: a: tensor \"w\": its shape has too many elements for 64 bits");
  EXPECT_EQ(test::error_of([] { make_tensor("a", "w", Dtype::f4, {3}); }),
            "3: a: tensor \"w\": 3 elements of F4 are no whole number of bytes in 64 bits");
}

TEST(InQuotes, EscapesWhatATerminalWouldObeyAndCutsWhatIsLong) {
  EXPECT_EQ(in_quotes("h.0.w"), "\"h.0.w\"");
  EXPECT_EQ(in_quotes("\x1B[2J\n\"\xC3\xA4"), "\"\\u001b[2J\\n\\\"\xC3\xA4\"");
  EXPECT_EQ(in_quotes(std::string(159, 'a') + "\xC3\xA4"),
            "\"" + std::string(159, 'a') + "\"... (161 bytes)");
}

}  // namespace
}  // namespace mlq::tensorfile
