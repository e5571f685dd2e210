// The pieces that formats read their text with.
#include <limits>
#include <numeric>
#include <string>

#include "gtest/gtest.h"
#include "lib/arrival/import/dequantise.h"
#include "lib/arrival/import/format.h"
#include "lib/arrival/import/import.h"
#include "lib/arrival/import/scan.h"
#include "lib/arrival/text/civil_time.h"
#include "lib/arrival/text/csv.h"
#include "lib/arrival/text/decimal.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

std::string padded(std::string text) { return text + std::string(64, '\0'); }

TEST(Scan, NumbersOfEveryLength) {
  std::string digits;
  uint64_t value = 0;
  for (int n = 1; n <= 16; ++n) {
    digits += static_cast<char>('0' + n % 10);
    value = value * 10 + static_cast<uint64_t>(n % 10);
    for (const char* behind : {"", ",", ":", "/", "\xFF"}) {
      const std::string text = padded(digits + behind);
      uint64_t read = 0;
      EXPECT_EQ(scan::number(text.data(), 16, read), text.data() + n);
      EXPECT_EQ(read, value);
      EXPECT_EQ(scan::number(text.data(), n - 1, read), nullptr);
    }
  }
}

TEST(Scan, NumbersAreNotRead) {
  uint64_t value = 0;
  for (const char* text : {"", "x1", "-1", " 1", "\xB0"}) {
    EXPECT_EQ(scan::number(padded(text).data(), 16, value), nullptr) << text;
  }
  const std::string long_one = padded("12345678901234567");
  EXPECT_EQ(scan::number(long_one.data(), 15, value), nullptr);
  EXPECT_EQ(scan::number(long_one.data(), 16, value), long_one.data() + 16);
  uint32_t small = 0;
  EXPECT_NE(scan::number32(padded("4294967295").data(), small), nullptr);
  EXPECT_EQ(small, 4'294'967'295u);
  EXPECT_EQ(scan::number32(padded("4294967296").data(), small), nullptr);
}

TEST(Scan, EveryByteThatIsNoDigitEndsANumber) {
  for (int c = 0; c < 256; ++c) {
    for (int at = 0; at < 8; ++at) {
      std::string text(8, '7');
      text[static_cast<size_t>(at)] = static_cast<char>(c);
      const bool digit = c >= '0' && c <= '9';
      EXPECT_EQ(scan::count_digits(scan::load8(text.data())), digit ? 8 : at);
    }
  }
}

TEST(Scan, TimesOfDay) {
  EXPECT_EQ(scan::time_of_day("00:00:00"), 0);
  EXPECT_EQ(scan::time_of_day("23:59:60"), 86'400);
  for (int at = 0; at < 8; ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string text = "12:34:56";
      text[static_cast<size_t>(at)] = static_cast<char>(c);
      const bool colon = at == 2 || at == 5;
      const bool right = colon ? c == ':' : c >= '0' && c <= '9';
      if (!right) {
        EXPECT_EQ(scan::time_of_day(text.c_str()), -1) << text;
      }
    }
  }
  for (const char* text : {"24:00:00", "12:60:00", "12:00:61"})
    EXPECT_EQ(scan::time_of_day(text), -1) << text;
}

TEST(Scan, WrittenNumbersAreThoseOfTheLibrary) {
  const auto written = [](uint64_t value) {
    char text[scan::kNumberRoom];
    return std::string(text, scan::write_number(text, value));
  };
  uint64_t power = 1;
  for (int digits = 1; digits <= 19; ++digits, power *= 10) {
    for (const uint64_t value : {power - 1, power, power + 1, power * 7 / 3, power / 2 * 15}) {
      EXPECT_EQ(written(value), std::to_string(value));
    }
  }
  EXPECT_EQ(written(INT64_MAX), std::to_string(INT64_MAX));
  for (uint32_t value = 0; value < 100'000'000; value += 9973)
    EXPECT_EQ(written(value), std::to_string(value));
}

TEST(Import, TickOfTimesInOrderIsTheGcdOfTheirDistances) {
  uint64_t state = 1;
  for (const uint64_t unit : {1u, 3u, 8u, 1000u, 1'000'000'000u, 97u * 1024u}) {
    OrderedTimes times;
    int64_t t = -5;
    uint64_t gcd = 0;
    times.add(t);
    for (int i = 0; i < 200; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const uint64_t gap = (state >> 40) % 50 * unit;
      t += static_cast<int64_t>(gap);
      gcd = std::gcd(gcd, gap);
      times.add(t);
      EXPECT_EQ(times.tick(), gcd);
    }
    EXPECT_EQ(times.last(), t);
  }
}

TEST(Decimal, IsExactAndRoundsDown) {
  EXPECT_EQ(parse_decimal64("0.00101003744876656436", 9), 1'010'037);
  EXPECT_EQ(parse_decimal64("5e-05", 9), 50'000);
  EXPECT_EQ(parse_decimal64("-5E-10", 9), -1);
  EXPECT_EQ(parse_decimal64("+.5", 1), 5);
  EXPECT_EQ(parse_decimal64("7.", 0), 7);
  EXPECT_EQ(parse_decimal64("1700000000.123457", 9), 1'700'000'000'123'457'000);
  EXPECT_EQ(parse_decimal64("9223372036.854775807", 9), INT64_MAX);
  EXPECT_EQ(parse_decimal64("9223372036.854775808", 9), std::nullopt);
  EXPECT_EQ(parse_decimal64("-9223372036.854775808", 9), INT64_MIN);
  EXPECT_EQ(parse_decimal64("0e999999999999999999", 9), std::nullopt);
  EXPECT_EQ(parse_decimal64("0e99999", 9), 0);
  EXPECT_EQ(parse_decimal64("1e-99999", 9), 0);
  EXPECT_EQ(parse_decimal64("-1e-99999", 9), -1);
  const std::string nines(50, '9');
  EXPECT_EQ(parse_decimal64("0." + nines, 9), 999'999'999);
  EXPECT_EQ(parse_decimal64(nines, 9), std::nullopt);
}

TEST(Decimal, RefusesWhatIsNone) {
  for (const char* text :
       {"", ".", "-", "e5", "1e", "1e+-5", "1e5x", "0x10", "nan", "inf", " 1", "1 ", "1,5", "--1"}) {
    EXPECT_EQ(parse_decimal(text, 9), std::nullopt) << text;
  }
}

TEST(CivilTime, DaysAndDatesAreInverse) {
  CivilDate date{1600, 1, 1};
  int64_t days = days_from_civil(date);
  EXPECT_EQ(days_from_civil({1970, 1, 1}), 0);
  EXPECT_EQ(days_from_civil({2000, 3, 1}), 11'017);
  while (date.year < 2400) {  // a whole cycle of the calendar and more, day by day
    const CivilDate back = civil_from_days(days);
    ASSERT_TRUE(back.year == date.year && back.month == date.month && back.day == date.day);
    ASSERT_EQ(days_from_civil(date), days);
    ++days;
    if (++date.day > days_in_month(date.year, date.month)) {
      date.day = 1;
      if (++date.month > 12) {
        date.month = 1;
        ++date.year;
      }
    }
  }
  EXPECT_EQ(weekday_of(days_from_civil({2023, 11, 16})), 4);  // a Thursday
  EXPECT_EQ(weekday_of(-1), 3);
}

TEST(CivilTime, IsoForms) {
  const TimeZone utc;
  const int64_t noon = 1'700'136'000'000'000'000;  // 2023-11-16T12:00:00Z
  for (const char* text : {"2023-11-16T12:00:00Z", "2023-11-16 12:00", "2023-11-16t12:00:00.000000000000",
                           "2023-11-16 12:00:00 +00:00", "2023-11-16T14:00:00+02", "2023-11-16T06:30:00-0530",
                           "2023-11-16 11:59:60"}) {
    EXPECT_EQ(parse_iso(text, utc), noon) << text;
  }
  EXPECT_EQ(parse_iso("2023-11-16", utc), noon - 43'200'000'000'000);
  for (const char* text :
       {"", "2023-11-1", "2023-13-01", "2023-00-01", "2023-02-29", "2023-11-16T", "2023-11-16 12",
        "2023-11-16 24:00", "2023-11-16 12:00:00.", "2023-11-16 12:00:00Zx", "2023/11/16",
        "2023-11-16 12:00:00+2", "1600-01-01", "9999-01-01"}) {
    EXPECT_EQ(parse_iso(text, utc), std::nullopt) << text;
  }
}

TEST(CivilTime, WrittenTimesReadBack) {
  for (const int64_t t :
       {int64_t{0}, int64_t{-1}, int64_t{1'700'158'623'979'960'000}, INT64_MAX, INT64_MIN + 1}) {
    std::string text;
    format_utc(t, 9, text);
    EXPECT_EQ(parse_iso(text, TimeZone()), t) << text;
  }
  std::string text;
  format_utc(-1, 7, text);
  EXPECT_EQ(text, "1969-12-31 23:59:59.9999999");
}

TEST(TimeZones, PosixRulesInBothHalvesOfTheEarth) {
  const TimeZone cet = TimeZone::load("CET-1CEST,M3.5.0,M10.5.0/3");
  const int64_t spring = 1'679'792'400;  // 2023-03-26T01:00:00Z
  const int64_t autumn = 1'698'541'200;  // 2023-10-29T01:00:00Z
  EXPECT_EQ(cet.offset_at(spring - 1), 3600);
  EXPECT_EQ(cet.offset_at(spring), 7200);
  EXPECT_EQ(cet.offset_at(autumn - 1), 7200);
  EXPECT_EQ(cet.offset_at(autumn), 3600);
  const int64_t skipped = spring + 5400;  // 02:30 on the wall is not shown
  EXPECT_EQ(cet.offset_at_local(skipped), 3600);
  const int64_t twice = autumn + 5400;  // 02:30 on the wall is shown twice
  EXPECT_EQ(cet.offset_at_local(twice), 7200);
  const TimeZone sydney = TimeZone::load("AEST-10AEDT,M10.1.0,M4.1.0/3");
  EXPECT_EQ(sydney.offset_at(1'704'067'200), 39'600);  // January
  EXPECT_EQ(sydney.offset_at(1'719'792'000), 36'000);  // July
  EXPECT_EQ(TimeZone::load("-03:30").offset_at_local(0), -12'600);
}

TEST(TimeZones, ZoneFilesKnowHistory) {
  const TimeZone amsterdam = TimeZone::load("Europe/Amsterdam");
  EXPECT_EQ(amsterdam.offset_at(1'679'792'400), 7200);
  EXPECT_EQ(amsterdam.offset_at(157'766'400), 3600);    // 1975: no summer time
  EXPECT_EQ(amsterdam.offset_at(4'086'979'200), 7200);  // 2099, by the rule at the end of the file
}

TEST(TimeZones, RefusesWhatIsNone) {
  for (const char* text :
       {"", "/etc/passwd", "../etc/passwd", "Nowhere/City", "+25:00", "+1", "CET-1CEST", "posixrules.txt"}) {
    EXPECT_THROW(TimeZone::load(text), Error) << text;
  }
}

TEST(TimeFormats, NamesHalvesOfDaysAndUnixSeconds) {
  const TimeZone utc;
  EXPECT_EQ(TimeFormat("%d/%b/%Y:%H:%M:%S %z").parse("17/May/2015:12:05:03 +0200", utc),
            1'431'857'103'000'000'000);
  EXPECT_EQ(TimeFormat("%B %e, %y %I%p").parse("September  7, 99 12AM", utc), 936'662'400'000'000'000);
  EXPECT_EQ(TimeFormat("[%s.%f]").parse("[-1.25]", utc), -750'000'000);
  EXPECT_EQ(TimeFormat("%F%n%T").parse("1970-01-01  00:00:01", utc), 1'000'000'000);
  EXPECT_EQ(TimeFormat("%Y-%j").parse("2023-366", utc), std::nullopt);
  EXPECT_EQ(TimeFormat("%H%%").parse("12%", utc), 43'200'000'000'000);
  EXPECT_THROW(TimeFormat("%"), Error);
  EXPECT_THROW(TimeFormat("%Z"), Error);
}

TEST(Origins, TimesSecondsAndDurations) {
  EXPECT_EQ(parse_origin("1970-01-01T00:00:01Z"), 1'000'000'000);
  EXPECT_EQ(parse_origin("@1700158623.5"), 1'700'158'623'500'000'000);
  EXPECT_EQ(parse_origin("90s"), 90'000'000'000);
  EXPECT_THROW(parse_origin("yesterday"), Error);
  EXPECT_THROW(parse_origin("@x"), Error);
}

std::vector<std::string> split(const std::string& text, char delimiter = ',') {
  CsvSplitter csv(delimiter);
  jsonl::Line line;
  line.text = text;
  EXPECT_EQ(csv.feed(line), CsvSplitter::State::record) << text;
  std::vector<std::string> out;
  for (const CsvField& field : csv.fields())
    out.emplace_back((field.quoted ? "Q" : "") + std::string(field.text));
  return out;
}

TEST(Csv, FieldsAndQuotes) {
  using Fields = std::vector<std::string>;
  EXPECT_EQ(split(""), (Fields{""}));
  EXPECT_EQ(split(","), (Fields{"", ""}));
  EXPECT_EQ(split("a,\"b,c\",\"\""), (Fields{"a", "Qb,c", "Q"}));
  EXPECT_EQ(split("\"a\"\"b\",\"\"\"\",x\"y"), (Fields{"Qa\"b", "Q\"", "x\"y"}));
  EXPECT_EQ(split("a;b,c", ';'), (Fields{"a", "b,c"}));
  CsvSplitter csv;
  jsonl::Line line;
  line.text = "\"a\"b";
  EXPECT_EQ(csv.feed(line), CsvSplitter::State::bad);
}

TEST(Csv, WrittenFieldsReadBack) {
  for (const std::string text :
       {"", "plain", "a,b", "\"", "\"\"x", "tab\there", "line\nbreak", "cr\r\nlf", "semi;colon", "\r"}) {
    jsonl::Buffer out;
    write_csv_field(out, text);
    out.raw(",end\n");
    jsonl::LineReader lines(Input::from_bytes("memory", out.view()));
    jsonl::Line line;
    CsvSplitter csv;
    auto state = CsvSplitter::State::open;
    while (state == CsvSplitter::State::open && lines.next(line)) state = csv.feed(line);
    ASSERT_EQ(state, CsvSplitter::State::record);
    ASSERT_EQ(csv.fields().size(), 2u);
    EXPECT_EQ(csv.fields()[0].text, text);
  }
}

TEST(Csv, DelimiterIsTheMostFrequent) {
  EXPECT_EQ(detect_delimiter("a,b,c"), ',');
  EXPECT_EQ(detect_delimiter("a\tb\tc,d"), '\t');
  EXPECT_EQ(detect_delimiter("a;\"b,c,d\";e"), ';');
  EXPECT_EQ(detect_delimiter("a"), ',');
}

TEST(Dequantise, EvenIsTheMiddleOfEqualParts) {
  std::vector<int64_t> times(4);
  std::vector<double> scratch;
  const RandomStream random(1, Purpose::dequantise);
  spread_ties(Dequantise::even, 1000, 800, 0, random, times, scratch);
  EXPECT_EQ(times, (std::vector<int64_t>{1100, 1300, 1500, 1700}));
  spread_ties(Dequantise::even, 5, 1, 0, random, times, scratch);
  EXPECT_EQ(times, (std::vector<int64_t>{5, 5, 5, 5}));
  spread_ties(Dequantise::none, 7, 800, 0, random, times, scratch);
  EXPECT_EQ(times, (std::vector<int64_t>{7, 7, 7, 7}));
}

TEST(Dequantise, UniformIsSortedInsideAndKeyedByEvent) {
  const RandomStream random(7, Purpose::dequantise);
  std::vector<double> scratch;
  std::vector<int64_t> times(1000);
  constexpr int64_t stamp = 10'000;
  constexpr int64_t width = 1'000'000;
  spread_ties(Dequantise::uniform, stamp, width, 50, random, times, scratch);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_GE(times.front(), stamp);
  EXPECT_LT(times.back(), stamp + width);
  double mean = 0;
  for (const int64_t t : times) mean += static_cast<double>(t - stamp) / width / 1000;
  EXPECT_NEAR(mean, 0.5, 5 * 0.2887 / 31.6);  // 5 standard errors
  std::vector<int64_t> one(1);
  spread_ties(Dequantise::uniform, 0, width, 50, random, one, scratch);
  EXPECT_EQ(one[0], static_cast<int64_t>(random.uniform(50) * width));
}

}  // namespace
}  // namespace mlq::arrival
