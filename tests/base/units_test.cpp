#include "lib/base/units.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "lib/base/error.h"
#include "lib/base/random.h"

namespace mlq {
namespace {

constexpr int64_t longest = std::numeric_limits<int64_t>::max();
constexpr uint64_t u64_max = std::numeric_limits<uint64_t>::max();

// The message that `parse` refuses `text` with.
template <class Parse>
std::string refusal(Parse parse, std::string_view text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::usage) << text;
    return error.what();
  }
  ADD_FAILURE() << text << " was accepted";
  return "";
}

TEST(Duration, ReadsEveryUnit) {
  EXPECT_EQ(parse_duration("3ns"), 3);
  EXPECT_EQ(parse_duration("250us"), 250'000);
  EXPECT_EQ(parse_duration("1.5ms"), 1'500'000);
  EXPECT_EQ(parse_duration("30s"), 30'000'000'000);
  EXPECT_EQ(parse_duration("2m"), 120'000'000'000);
  EXPECT_EQ(parse_duration("2min"), 120'000'000'000);
  EXPECT_EQ(parse_duration("12h"), 43'200'000'000'000);
  EXPECT_EQ(parse_duration("7d"), 604'800'000'000'000);
}

TEST(Duration, AddsPartsFromLargeToSmall) {
  EXPECT_EQ(parse_duration("1h30m"), 5'400'000'000'000);
  EXPECT_EQ(parse_duration("1d2h3m4s5ms6us7ns"), 93'784'005'006'007);
}

TEST(Duration, ReadsDecimalsAndExponentsExactly) {
  EXPECT_EQ(parse_duration("0.1s"), 100'000'000);
  EXPECT_EQ(parse_duration(".5ms"), 500'000);
  EXPECT_EQ(parse_duration("1e3us"), 1'000'000);
  EXPECT_EQ(parse_duration("25e-1us"), 2'500);
  EXPECT_EQ(parse_duration("9223372036.854775807s"), longest);
}

TEST(Duration, ZeroNeedsNoUnit) {
  EXPECT_EQ(parse_duration("0"), 0);
  EXPECT_EQ(parse_duration("0.0"), 0);
  EXPECT_EQ(parse_duration("0s"), 0);
}

TEST(Duration, RefusesWhatIsNoneAndSaysHowToWriteOne) {
  EXPECT_EQ(refusal(parse_duration, "10 parsecs"),
            "\"10 parsecs\" is not a duration; write a number and a unit, as in 1.5ms, 30s or 12h");
  for (const char* text : {"",      "s",    "-1s",  "+1s",  " 1s",  "1s ", "1 s", "1.s", "1..5s", "1S",
                           "30m1h", "1s1s", "1h30", "1,5s", "infs", "nan", "1e",  "1es", "0x1s",  "1_000s"}) {
    EXPECT_NE(refusal(parse_duration, text).find("is not a duration; write a number and a unit"),
              std::string::npos)
        << text;
  }
}

TEST(Duration, RefusesABareNumberWithTheUnitToAdd) {
  EXPECT_EQ(refusal(parse_duration, "10"),
            "\"10\" has no unit of time; write 10s for seconds or 10ms for milliseconds");
}

TEST(Duration, RefusesAPartOfANanosecond) {
  for (const char* text : {"1.5ns", "0.0000000001s", "1s0.5ns"}) {
    EXPECT_NE(refusal(parse_duration, text).find("part of a nanosecond"), std::string::npos) << text;
  }
}

TEST(Duration, RefusesWhatDoesNotFit) {
  for (const char* text :
       {"9223372036.854775808s", "106752d", "1e30s", "1e99s", "1e-99s",
        "99999999999999999999999999999999999999999s", "1e99999999999999s",
        "170141183460469231731687303715884105727ns170141183460469231731687303715884105727ns"}) {
    const std::string message = refusal(parse_duration, text);
    EXPECT_TRUE(message.find("outside what a duration can hold") != std::string::npos ||
                message.find("is not a duration") != std::string::npos)
        << message;
  }
  EXPECT_EQ(refusal(parse_duration, "106752d"),
            "\"106752d\" is outside what a duration can hold; the longest is 106751d (2^63 - 1 ns)");
}

TEST(Duration, LongTextIsCutInTheMessage) {
  EXPECT_LT(refusal(parse_duration, std::string(100000, 'x')).size(), 200u);
}

TEST(Duration, FormatsInTheLargestUnitThatReadsWell) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(1'500'000), "1.5ms");
  EXPECT_EQ(format_duration(90'000'000'000), "90s");
  EXPECT_EQ(format_duration(120'000'000'000), "2min");
  EXPECT_EQ(format_duration(3'600'000'000'000), "1h");
  EXPECT_EQ(format_duration(86'400'000'000'000), "1d");
  EXPECT_EQ(format_duration(1), "1ns");
  EXPECT_EQ(format_duration(1'001), "1.001us");
  EXPECT_EQ(format_duration(longest), "9223372036.854775807s");
  EXPECT_EQ(format_duration(-1'500'000), "-1.5ms");
  EXPECT_EQ(format_duration(std::numeric_limits<int64_t>::min()), "-9223372036.854775808s");
}

TEST(Duration, SurvivesFormatAndParse) {
  const RandomStream random(1, Purpose::payload);
  for (uint64_t i = 0; i < 20000; ++i) {
    const auto bits = random.bits(i);
    const uint64_t any = (uint64_t{bits.c0} << 32 | bits.c1) >> (1 + bits.c2 % 62);
    constexpr uint64_t grains[] = {1, 1000, 1'000'000, 500'000'000, 60'000'000'000, 3'600'000'000'000};
    const uint64_t grain = grains[bits.c3 % 6];
    const auto ns = static_cast<int64_t>(any < grain ? any : any / grain * grain);
    ASSERT_EQ(parse_duration(format_duration(ns)), ns) << format_duration(ns);
  }
}

TEST(Rates, AreReadExactlyInLowestTerms) {
  EXPECT_EQ(parse_rate("200/s"), (Rate{1, 5'000'000}));
  EXPECT_EQ(parse_rate("14.3/s"), (Rate{143, 10'000'000'000}));
  EXPECT_EQ(parse_rate("50k/h"), (Rate{1, 72'000'000}));
  EXPECT_EQ(parse_rate("3/min"), (Rate{1, 20'000'000'000}));
  EXPECT_EQ(parse_rate("1/d"), (Rate{1, 86'400'000'000'000}));
  EXPECT_EQ(parse_rate("100/7s"), (Rate{1, 70'000'000}));
  EXPECT_EQ(parse_rate("2M/s"), (Rate{1, 500}));
  EXPECT_EQ(parse_rate("3/ns"), (Rate{3, 1}));
  EXPECT_EQ(parse_rate("1e-3/s"), (Rate{1, 1'000'000'000'000}));
  EXPECT_EQ(parse_rate("gap=70ms"), (Rate{1, 70'000'000}));
  EXPECT_EQ(parse_gap("70ms"), (Rate{1, 70'000'000}));
}

TEST(Rates, PerSecondIsExactWhereADoubleIs) {
  EXPECT_EQ(parse_rate("200/s").per_s(), 200.0);
  EXPECT_EQ(parse_rate("14.3/s").per_s(), 14.3);
  EXPECT_EQ(parse_rate("0.1/s").per_s(), 0.1);
}

TEST(Rates, RefuseABareNumberWithTheUnitToAdd) {
  EXPECT_EQ(refusal(parse_rate, "200"), "\"200\" has no unit of time; a rate is written as in 200/s");
}

TEST(Rates, RefuseZero) {
  EXPECT_EQ(refusal(parse_rate, "0/s"), "\"0/s\" is no rate; it must be above zero");
  EXPECT_EQ(refusal(parse_rate, "gap=0"), "\"0\" is no gap; it must be above zero");
  EXPECT_EQ(refusal(parse_gap, "0s"), "\"0s\" is no gap; it must be above zero");
}

TEST(Rates, RefuseWhatIsNone) {
  for (const char* text :
       {"", "/s", "x/s", "-3/s", "3/", "3/x", "3 /s", "3/ s", "3//s", "3K/s", "3/0s", "fast", "3rps"}) {
    EXPECT_NE(refusal(parse_rate, text).find("is not a rate; write events per time, as in 200/s"),
              std::string::npos)
        << text;
  }
}

TEST(Rates, ReachTheLimitsOfTheirTypes) {
  EXPECT_EQ(parse_rate("18446744073709551615/ns"), (Rate{u64_max, 1}));
  EXPECT_EQ(parse_rate("1/18446744073709551615ns"), (Rate{1, u64_max}));
  for (const char* text :
       {"18446744073709551616/ns", "1/18446744073709551616ns", "1e-11/s", "1e40/s", "1e38T/s"}) {
    EXPECT_NE(refusal(parse_rate, text).find("is outside what a rate can hold"), std::string::npos) << text;
  }
}

TEST(Rates, AreFormattedPerSecondOrElseAsAGap) {
  EXPECT_EQ(format_rate(parse_rate("200/s")), "200/s");
  EXPECT_EQ(format_rate(parse_rate("14.3/s")), "14.3/s");
  EXPECT_EQ(format_rate(parse_rate("gap=70ms")), "gap=70ms");
  EXPECT_EQ(format_rate(parse_rate("50k/h")), "gap=72ms");
  EXPECT_EQ(format_rate(parse_rate("100.5/min")), "1.675/s");
  EXPECT_EQ(format_rate(parse_rate("7/min")), "7/min");
  EXPECT_EQ(format_rate({3, 7}), "3/7ns");
}

TEST(Rates, SurviveFormatAndParse) {
  const RandomStream random(2, Purpose::payload);
  for (uint64_t i = 0; i < 20000; ++i) {
    const auto bits = random.bits(i);
    uint64_t events = std::max<uint64_t>(1, (uint64_t{bits.c0} << 32 | bits.c1) >> (bits.c0 % 64));
    uint64_t ns = std::max<uint64_t>(1, (uint64_t{bits.c2} << 32 | bits.c3) >> (bits.c2 % 64));
    if (bits.c1 % 4 == 0) events = 1;
    if (bits.c1 % 3 == 0) ns = bits.c3 % 2 == 0 ? 60'000'000'000 : 10'000'000'000;
    const uint64_t common = std::gcd(events, ns);
    const Rate rate{events / common, ns / common};
    ASSERT_EQ(parse_rate(format_rate(rate)), rate) << format_rate(rate);
  }
}

TEST(Count, ReadsSuffixesAndExponents) {
  EXPECT_EQ(parse_count("0"), 0u);
  EXPECT_EQ(parse_count("80000"), 80000u);
  EXPECT_EQ(parse_count("4k"), 4000u);
  EXPECT_EQ(parse_count("1.5k"), 1500u);
  EXPECT_EQ(parse_count("2M"), 2'000'000u);
  EXPECT_EQ(parse_count("3G"), 3'000'000'000u);
  EXPECT_EQ(parse_count("1T"), 1'000'000'000'000u);
  EXPECT_EQ(parse_count("1e6"), 1'000'000u);
  EXPECT_EQ(parse_count("18446744073709551615"), u64_max);
}

TEST(Count, RefusesWhatIsNone) {
  EXPECT_EQ(refusal(parse_count, "1.5"), "\"1.5\" is not a whole number; a count must be one");
  EXPECT_EQ(
      refusal(parse_count, "18446744073709551616"),
      "\"18446744073709551616\" is too large or too long for a count; the largest is 18446744073709551615");
  for (const char* text : {"", "k", "-1", "4K", "4Ki", "4B", "4 k", "many"}) {
    EXPECT_NE(refusal(parse_count, text).find("is not a count; write a whole number"), std::string::npos)
        << text;
  }
}

TEST(Size, ReadsDecimalAndBinarySuffixes) {
  EXPECT_EQ(parse_size("512"), 512u);
  EXPECT_EQ(parse_size("512B"), 512u);
  EXPECT_EQ(parse_size("4k"), 4000u);
  EXPECT_EQ(parse_size("4kB"), 4000u);
  EXPECT_EQ(parse_size("1.5MB"), 1'500'000u);
  EXPECT_EQ(parse_size("4Ki"), 4096u);
  EXPECT_EQ(parse_size("4KiB"), 4096u);
  EXPECT_EQ(parse_size("64MiB"), 67'108'864u);
  EXPECT_EQ(parse_size("2GiB"), 2'147'483'648u);
  EXPECT_EQ(parse_size("0.5TiB"), 549'755'813'888u);
}

TEST(Size, RefusesWhatIsNone) {
  EXPECT_EQ(refusal(parse_size, "1.5B"), "\"1.5B\" is not a whole number; a size in bytes must be one");
  for (const char* text : {"", "B", "4K", "4KB", "4kiB", "4b", "-4", "big"}) {
    EXPECT_NE(refusal(parse_size, text).find("is not a size in bytes; write a number"), std::string::npos)
        << text;
  }
  EXPECT_NE(refusal(parse_size, "16777216TiB").find("too large"), std::string::npos);
}

TEST(Ratios, AreReadExactlyInLowestTerms) {
  EXPECT_EQ(parse_ratio("0.25"), (Ratio{1, 4}));
  EXPECT_EQ(parse_ratio("5%"), (Ratio{1, 20}));
  EXPECT_EQ(parse_ratio("99.9%"), (Ratio{999, 1000}));
  EXPECT_EQ(parse_ratio("3"), (Ratio{3, 1}));
  EXPECT_EQ(parse_ratio("1/3"), (Ratio{1, 3}));
  EXPECT_EQ(parse_ratio("0.5/1.5"), (Ratio{1, 3}));
  EXPECT_EQ(parse_ratio("0"), (Ratio{0, 1}));
}

TEST(Ratios, RefuseWhatIsNone) {
  for (const char* text : {"", "%", "1/0", "1/", "/3", "1/3%", "-1", "1/-3", "half", "5 %"}) {
    EXPECT_EQ(refusal(parse_ratio, text),
              fmt::format("\"{}\" is not a ratio; write a number from 0 up, as in 0.25, 5% or 1/3", text));
  }
  EXPECT_NE(refusal(parse_ratio, "1e-20").find("outside what a ratio can hold"), std::string::npos);
}

TEST(Double, IsCorrectlyRounded) {
  EXPECT_EQ(parse_double("3"), 3.0);
  EXPECT_EQ(parse_double("-0.5"), -0.5);
  EXPECT_EQ(parse_double("1e-3"), 1e-3);
  EXPECT_EQ(parse_double("5%"), 0.05);
  EXPECT_EQ(parse_double("0.7%"), 0.007);
  EXPECT_EQ(parse_double("1e2%"), 1.0);
  EXPECT_EQ(parse_double("1.7976931348623157e308"), std::numeric_limits<double>::max());
}

TEST(Double, RefusesWhatIsNoneAndWhatIsNotFinite) {
  for (const char* text :
       {"", "%", "nan", "inf", "-inf", "infinity%", "1x", "0x10", "1,5", "+1", " 1", "1e"}) {
    EXPECT_EQ(refusal(parse_double, text),
              fmt::format("\"{}\" is not a number; write one as in 3, 0.5, 1e-3 or 5%", text));
  }
  EXPECT_NE(refusal(parse_double, "1e999").find("outside the range of a double"), std::string::npos);
}

TEST(Units, ANumberWithItsNoun) {
  EXPECT_EQ(format_count(0, "row"), "0 rows");
  EXPECT_EQ(format_count(1, "bad line"), "1 bad line");
  EXPECT_EQ(format_count(2, "row"), "2 rows");
}

}  // namespace
}  // namespace mlq
