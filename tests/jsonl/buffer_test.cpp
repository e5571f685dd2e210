#include "lib/jsonl/buffer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "lib/jsonl/object.h"

namespace mlq::jsonl {
namespace {

std::string quoted(std::string_view text, size_t* replaced = nullptr) {
  Buffer buffer;
  const size_t bad = buffer.string(text);
  if (replaced != nullptr) *replaced = bad;
  return std::string(buffer.view());
}

std::string number(double value) {
  Buffer buffer;
  buffer.number(value);
  return std::string(buffer.view());
}

TEST(Buffer, BeginsEmptyAndTakesEmptyText) {
  Buffer buffer;
  buffer.raw("");
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.view(), "");
}

TEST(Buffer, KeepsItsBytesWhileItGrows) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    buffer.integer(i);
    buffer.raw(',');
    expected += std::to_string(i) + ",";
  }
  EXPECT_EQ(buffer.view(), expected);
  buffer.truncate(4);
  EXPECT_EQ(buffer.view(), "0,1,");
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
}

TEST(Buffer, ReservedBytesCountOnlyWhenAdvanced) {
  Buffer buffer;
  buffer.raw("ab");
  std::memcpy(buffer.reserve(1000), "cdef", 4);
  EXPECT_EQ(buffer.view(), "ab");
  buffer.advance(4);
  EXPECT_EQ(buffer.view(), "abcdef");
}

TEST(Buffer, WritesTheExtremesOfIntegers) {
  Buffer buffer;
  buffer.integer(std::numeric_limits<int64_t>::min());
  buffer.raw(' ');
  buffer.integer(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(buffer.view(), "-9223372036854775808 18446744073709551615");
}

TEST(Buffer, WritesDoublesInTheirShortestForm) {
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1e300), "1e+300");
  EXPECT_EQ(number(5e-324), "5e-324");
  EXPECT_EQ(number(-0.0), "-0");
}

TEST(Buffer, WritesNullForWhatJsonCannotSay) {
  EXPECT_EQ(number(std::nan("")), "null");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "null");
}

TEST(Buffer, EveryDoubleReadsBackToTheSameBits) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    OwnedObject object("{\"x\":" + number(value) + "}");
    ASSERT_TRUE(object.ok()) << number(value);
    const auto read = object.parser().find("x")->as_double();
    ASSERT_TRUE(read.has_value());
    // "-0" is an integer to a JSON reader; the sign of zero is the one thing that may be lost.
    if (value == 0) continue;
    ASSERT_EQ(std::bit_cast<uint64_t>(*read), std::bit_cast<uint64_t>(value)) << number(value);
  }
}

TEST(Buffer, EscapesWhatJsonRequires) {
  EXPECT_EQ(quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(quoted("\n\r\t"), R"("\n\r\t")");
  EXPECT_EQ(quoted(std::string_view("\0\x1f", 2)), R"("\u0000\u001f")");
  EXPECT_EQ(quoted("/\x7f"), "\"/\x7f\"");
  EXPECT_EQ(quoted(""), "\"\"");
}

TEST(Buffer, PassesWellFormedUtf8On) {
  const std::string text = "caf\u00e9 \u20ac \U0001F600";
  size_t replaced = 9;
  EXPECT_EQ(quoted(text, &replaced), '"' + text + '"');
  EXPECT_EQ(replaced, 0u);
}

TEST(Buffer, ReplacesAndCountsBytesThatAreNoUtf8) {
  size_t replaced = 0;
  EXPECT_EQ(quoted("a\xff"
                   "b\xc3",
                   &replaced),
            "\"a\uFFFD"
            "b\uFFFD\"");
  EXPECT_EQ(replaced, 2u);
  quoted("\xed\xa0\x80", &replaced);  // a surrogate half
  EXPECT_EQ(replaced, 3u);
  quoted("\xc0\x80", &replaced);  // an overlong zero
  EXPECT_EQ(replaced, 2u);
}

TEST(Buffer, AnyBytesBecomeAJsonStringThatReadsBack) {
  std::mt19937 random(2);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes;
    for (size_t n = random() % 40; n > 0; --n) bytes += static_cast<char>(random());
    size_t replaced = 0;
    const std::string json = quoted(bytes, &replaced);
    OwnedObject object("{\"s\":" + json + "}");
    ASSERT_TRUE(object.ok()) << json;
    if (replaced > 0) continue;
    ASSERT_EQ(object.parser().find("s")->text, bytes);
  }
}

}  // namespace
}  // namespace mlq::jsonl
