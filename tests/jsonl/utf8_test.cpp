#include "lib/jsonl/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace mlq::jsonl {
namespace {

std::string encode(uint32_t c) {
  std::string s;
  if (c < 0x80) {
    s += static_cast<char>(c);
  } else if (c < 0x800) {
    s += static_cast<char>(0xC0 | (c >> 6));
  } else if (c < 0x10000) {
    s += static_cast<char>(0xE0 | (c >> 12));
    s += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
  } else {
    s += static_cast<char>(0xF0 | (c >> 18));
    s += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    s += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
  }
  if (c >= 0x80) s += static_cast<char>(0x80 | (c & 0x3F));
  return s;
}

TEST(Utf8, KnowsTheLengthOfEveryCodePoint) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    const std::string s = encode(c);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(utf8_length(s), surrogate ? 0 : s.size()) << std::hex << c;
  }
}

TEST(Utf8, RefusesEveryCutSequence) {
  for (const uint32_t c : {0x80u, 0x7FFu, 0x800u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    const std::string s = encode(c);
    for (size_t n = 0; n < s.size(); ++n) EXPECT_EQ(utf8_length(s.substr(0, n)), 0u) << std::hex << c;
  }
}

TEST(Utf8, OfAllTwoBytePairsAcceptsExactlyTheWellFormed) {
  for (int a = 0x80; a < 0x100; ++a) {
    for (int b = 0; b < 0x100; ++b) {
      const char pair[] = {static_cast<char>(a), static_cast<char>(b)};
      const bool good = a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF;
      ASSERT_EQ(utf8_length({pair, 2}), good ? 2u : 0u) << a << ' ' << b;
    }
  }
}

TEST(Utf8, RefusesOverlongFormsAndWhatIsPastUnicode) {
  for (const char* text : {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                           "\xF5\x80\x80\x80", "\xFF", "\x80"}) {
    EXPECT_EQ(utf8_length(text), 0u);
  }
}

}  // namespace
}  // namespace mlq::jsonl
