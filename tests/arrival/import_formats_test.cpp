// Small files of every format, with expectations worked out by hand.
#include "lib/base/error.h"
#include "lib/records/codec.h"
#include "tests/arrival/import_support.h"

namespace mlq::test {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kDay = 86'400 * kSecond;
using Times = std::vector<int64_t>;

TEST(ImportAzureLlm, TakesCrlfByteOrderMarkLeapDayAndNoLastLineEnd) {
  const Imported t = import_fixture("azure-llm", "azure-crlf-bom.csv");
  EXPECT_EQ(t.times(), (Times{0, 100, kDay + kSecond / 2 + 100}));
  EXPECT_EQ(t.run.epoch_unix_ns, 1'709'164'799'999'999'900);  // date -d 2024-02-28T23:59:59Z
  EXPECT_EQ(t.arrivals[2].input_tokens, 4'294'967'295u);
  EXPECT_EQ(t.arrivals[1].input_tokens, 0u);
  EXPECT_EQ(t.end.bad_lines, 0u);
}

TEST(ImportAzureLlm, TakesOtherFormsOfTheSameTime) {
  const Imported t = import_fixture("azure-llm", "azure-forms.csv");
  EXPECT_EQ(t.times(), (Times{0, 100'000'000, 123'456'789, 200'000'000, kSecond}));
  EXPECT_EQ(t.end.inversions, 1u);
  EXPECT_EQ(t.arrivals[2].input_tokens, 4u);  // written 004
  EXPECT_EQ(t.text.find("004"), t.text.npos);
}

TEST(ImportAzureLlm, PassesOverBadLinesAndShowsThree) {
  const Imported t = import_fixture("azure-llm", "azure-bad.csv");
  EXPECT_EQ(t.arrivals.size(), 2u);
  EXPECT_EQ(t.end.bad_lines, 5u);
  EXPECT_TRUE(t.noticed("azure-bad.csv:3: there are not three fields: \"2023-11-16 18:17:03.2,1\""));
  EXPECT_TRUE(t.noticed("5 bad lines"));
  EXPECT_EQ(t.notices.size(), 4u);
}

TEST(ImportAzureLlm, EveryNumberOfDecimalsFromNoneToNine) {
  std::string text = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  const std::string digits = "123456789";
  for (size_t n = 0; n <= 9; ++n) {
    text += "2023-11-16 00:00:0" + std::to_string(n) + (n > 0 ? "." : "") + digits.substr(0, n) + ",1,1\n";
  }
  Times expected = {0};
  int64_t part = 0;
  int64_t unit = kSecond;
  for (int64_t n = 1; n <= 9; ++n) {
    unit /= 10;
    part += n * unit;
    expected.push_back(n * kSecond + part);
  }
  EXPECT_EQ(import_text("azure-llm", text).times(), expected);
}

TEST(ImportAzureLlm, RefusesAFileOfAnotherKind) {
  EXPECT_THROW(import_text("azure-llm", "a,b,c\n1,2,3\n"), Error);
}

TEST(ImportMooncake, TakesPythonCompactAndAnyOtherJson) {
  const Imported t = import_fixture("mooncake", "mooncake.jsonl");
  EXPECT_EQ(t.times(), (Times{0, 27'482'000'000, 27'483'250'000, 30'000'000'000, 30'001'000'000}));
  EXPECT_EQ(t.arrivals[0].prefix_ids, (std::vector<uint64_t>{1, 22, 333}));
  EXPECT_EQ(t.arrivals[1].prefix_ids, (std::vector<uint64_t>{46, 18'446'744'073'709'551'615u}));
  EXPECT_EQ(t.arrivals[2].prefix_ids, std::vector<uint64_t>{});
  EXPECT_FALSE(t.arrivals[3].prefix_ids.has_value());
  EXPECT_EQ(t.arrivals[3].input_tokens, 4'294'967'295u);
  EXPECT_EQ(t.arrivals[4].prefix_ids, (std::vector<uint64_t>{1'234'567'890'123'456, 123'456'789, 0}));
  EXPECT_EQ(t.end.bad_lines, 0u);
}

TEST(ImportMooncake, RefusesWhatJsonAndTheSchemaRefuse) {
  const Imported t = import_fixture("mooncake", "mooncake-bad.jsonl");
  EXPECT_EQ(t.times(), (Times{0, 2'000'000}));
  EXPECT_EQ(t.end.bad_lines, 7u);
}

TEST(ImportMooncake, RefusesMoreThan4096Ids) {
  const auto line = [](int n) {
    std::string ids = "0";
    for (int i = 1; i < n; ++i) ids += "," + std::to_string(i);
    return "{\"timestamp\":0,\"input_length\":1,\"output_length\":1,\"hash_ids\":[" + ids + "]}\n";
  };
  const Imported t = import_text("mooncake", line(4096) + line(4097));
  ASSERT_EQ(t.arrivals.size(), 1u);
  EXPECT_EQ(t.arrivals[0].prefix_ids->size(), 4096u);
  EXPECT_EQ(t.end.bad_lines, 1u);
}

TEST(ImportMooncake, FilesFollowEachOther) {
  const TempDir folder;
  const std::string line = R"({"timestamp":5,"input_length":1,"output_length":1,"hash_ids":[1]})";
  const Imported t = import_files("mooncake", {folder.file("a", line), folder.file("b", line + "\n" + line)});
  EXPECT_EQ(t.times(), (Times{0, 5'000'000, 5'000'000}));
  EXPECT_EQ(t.run.source_name, "Mooncake trace");
}

TEST(ImportClf, TakesMethodPathSizeAndZones) {
  const Imported t = import_fixture("clf", "clf.log");
  ASSERT_EQ(t.arrivals.size(), 6u);
  EXPECT_EQ(t.run.epoch_unix_ns, 1'431'857'101 * kSecond);  // date -d 2015-05-17T10:05:01Z
  EXPECT_EQ(t.arrivals[0].method, "POST");
  EXPECT_EQ(t.arrivals[0].path, R"(/b?q=\"1\")");
  EXPECT_FALSE(t.arrivals[0].size_bytes.has_value());
  EXPECT_EQ(t.arrivals[1].t_ns, 2 * kSecond);
  EXPECT_EQ(t.arrivals[1].path, "/a");
  EXPECT_EQ(t.arrivals[1].size_bytes, 203'023u);
  EXPECT_FALSE(t.arrivals[2].method.has_value());
  EXPECT_EQ(t.arrivals[2].path, "\xEF\xBF\xBD\xEF\xBF\xBD/caf\xC3\xA9");
  EXPECT_EQ(t.arrivals[3].path, "/a b c");
  EXPECT_EQ(t.arrivals[4].path, "/old");
  // 29 February 23:59:60 at -01:30 is 01:30:00 of 1 March.
  EXPECT_EQ(*t.run.epoch_unix_ns + t.arrivals[5].t_ns, 1'456'795'800 * kSecond);
  EXPECT_FALSE(t.arrivals[5].path.has_value());
  EXPECT_EQ(t.end.bad_bytes, 2u);
  EXPECT_EQ(t.end.inversions, 2u);
  EXPECT_EQ(t.run.source_name, "clf.log");
  EXPECT_FALSE(t.run.source_license.has_value());
}

TEST(ImportClf, PassesOverWhatIsNone) {
  const Imported t = import_fixture("clf", "clf-bad.log");
  EXPECT_EQ(t.arrivals.size(), 1u);
  EXPECT_EQ(t.end.bad_lines, 7u);
}

TEST(ImportBurstGpt, DropsFailuresUnlessTheyAreKept) {
  const Imported t = import_fixture("burstgpt", "burstgpt.csv");
  EXPECT_EQ(t.times(), (Times{0, 40'500'000'000}));
  EXPECT_EQ(t.arrivals[1].klass, "GPT-4");
  EXPECT_EQ(t.arrivals[1].output_tokens, 276u);
  EXPECT_EQ(t.end.bad_lines, 0u);
  EXPECT_TRUE(t.noticed("1 failed requests"));
  arrival::ImportOptions keep;
  keep.failures = arrival::Failures::keep;
  EXPECT_EQ(import_fixture("burstgpt", "burstgpt.csv", keep).arrivals.size(), 3u);
}

TEST(ImportBurstGpt, FindsColumnsByName) {
  const Imported t = import_fixture("burstgpt", "burstgpt-sessions.csv");
  EXPECT_EQ(t.arrivals[0].conversation, "77");
  EXPECT_FALSE(t.arrivals[1].conversation.has_value());
  EXPECT_THROW(import_text("burstgpt", "Timestamp,Model\n1,2\n"), Error);
}

TEST(ImportAzureFunctions, ArrivalIsEndMinusDuration) {
  const Imported t = import_fixture("azure-func-2021", "func2021.csv");
  // Starts: 10.25, 9.0, 20.0000000005 (rounded down).
  EXPECT_EQ(t.times(), (Times{0, 1'250'000'000, 11'000'000'000}));
  EXPECT_EQ(t.arrivals[0].klass, "f2");
  EXPECT_EQ(t.end.inversions, 1u);
}

TEST(ImportAzureFunctions, MatrixOfCountsBecomesBins) {
  const Imported t = import_files("azure-func-2019", {fixture("func2019.csv"), fixture("func2019.csv")});
  ASSERT_EQ(t.bins.size(), 6u);
  const std::tuple<int64_t, double, const char*> expected[] = {{0, 2, "f1"},
                                                               {2 * kMinute, 1, "f1"},
                                                               {1439 * kMinute, 5, "f2"},
                                                               {1440 * kMinute, 2, "f1"},
                                                               {1442 * kMinute, 1, "f1"},
                                                               {2879 * kMinute, 5, "f2"}};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(t.bins[i].t_ns, std::get<0>(expected[i]));
    EXPECT_EQ(t.bins[i].dt_ns, kMinute);
    EXPECT_EQ(t.bins[i].count, std::get<1>(expected[i]));
    EXPECT_EQ(t.bins[i].klass, std::get<2>(expected[i]));
  }
  EXPECT_EQ(t.end.duration_ns, 2 * kDay);
}

TEST(ImportServeGen, CountsAreRateTimesLength) {
  const Imported t = import_fixture("servegen", "chunk-3-trace.csv");
  ASSERT_EQ(t.bins.size(), 3u);
  EXPECT_EQ(t.bins[0].count, 300);
  EXPECT_EQ(t.bins[1].count, 0);
  EXPECT_EQ(t.bins[2].count, 150);
  EXPECT_EQ(t.bins[2].t_ns, 1200 * kSecond);
  EXPECT_EQ(t.bins[2].klass, "chunk-3");
  EXPECT_TRUE(t.noticed("1 Gamma, 1 Weibull, 1 idle"));
}

TEST(ImportLimbo, TimesAreMiddlesOfBins) {
  arrival::ImportOptions options;
  EXPECT_THROW(import_fixture("limbo", "limbo.txt", options), Error);  // how long is a bin?
  options.bin_ns = kMinute;
  const Imported t = import_fixture("limbo", "limbo.txt", options);
  ASSERT_EQ(t.bins.size(), 3u);
  EXPECT_EQ(t.bins[1].count, 369.5);
  EXPECT_EQ(t.bins[2].t_ns, 4 * kMinute);
  EXPECT_TRUE(t.noticed("2 bins missing in 1 place"));
}

TEST(ImportGaps, SumsAreExact) {
  const Imported t = import_fixture("gaps", "gaps.txt");
  // The last two gaps add up to 1 s exactly, to the last of 20 decimals.
  EXPECT_EQ(t.times(), (Times{1'010'037, 1'060'037, 1'001'060'037, 1'001'060'037, 2'001'060'037}));
  EXPECT_THROW(import_text("gaps", "9223372036\n1\n"), Error);  // past 2^63 ns
  EXPECT_THROW(import_text("gaps", "1\n-1e-9\n"), Error);
  EXPECT_EQ(import_text("gaps", "1\nx\nnan\n1\n").end.bad_lines, 2u);
}

TEST(ImportCounts, HolesAreReportedAndFilledOnRequest) {
  arrival::ImportOptions options;
  const Imported gap = import_fixture("counts", "elb.csv", options);
  ASSERT_EQ(gap.bins.size(), 5u);
  EXPECT_EQ(gap.bins[0].dt_ns, 5 * kMinute);
  EXPECT_EQ(gap.run.epoch_unix_ns, 1'397'088'240 * kSecond);  // date -d 2014-04-10T00:04:00Z
  EXPECT_TRUE(gap.noticed("15 bins missing in 1 place; left out"));
  EXPECT_TRUE(gap.noticed("longer than 10 bins"));
  options.fill = arrival::Fill::zero;
  const Imported zero = import_fixture("counts", "elb.csv", options);
  ASSERT_EQ(zero.bins.size(), 20u);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(zero.bins[i].t_ns, static_cast<int64_t>(i) * 5 * kMinute);
  EXPECT_EQ(zero.bins[3].count, 0);
  options.fill = arrival::Fill::hold;
  EXPECT_EQ(import_fixture("counts", "elb.csv", options).bins[17].count, 187);
}

TEST(ImportCounts, LogarithmsOfDailyCountsOverAChangeOfClocks) {
  arrival::ImportOptions options;
  options.columns.value_transform = arrival::ValueTransform::exp;
  options.columns.tz = "CET-1CEST,M3.5.0,M10.5.0/3";
  const Imported t = import_fixture("counts", "counts-dst.csv", options);
  ASSERT_EQ(t.bins.size(), 4u);
  EXPECT_NEAR(t.bins[0].count, 10, 1e-12);
  EXPECT_EQ(t.bins[1].count, 1);
  EXPECT_NEAR(t.bins[2].count, 2, 1e-15);
  EXPECT_EQ(t.bins[1].t_ns, kDay);
  EXPECT_EQ(t.bins[2].t_ns, 2 * kDay - 3600 * kSecond);  // 26 March 2023 had 23 hours
  EXPECT_TRUE(t.noticed("2 bins missing in 1 place"));
}

TEST(ImportCsv, NamedColumnsQuotesAndOrder) {
  arrival::ImportOptions options;
  options.columns.time_col = "when";
  options.columns.class_col = "who";
  options.columns.conversation_col = "note";
  const Imported t = import_fixture("csv", "unsorted.csv", options);
  EXPECT_EQ(t.times(), (Times{0, 0, kSecond, 2 * kSecond}));
  EXPECT_EQ(t.arrivals[0].klass, "a");
  EXPECT_EQ(t.arrivals[0].conversation, "two\r\nlines \"quoted\"");
  EXPECT_EQ(t.arrivals[1].klass, "d");  // after the a of the same time
  EXPECT_EQ(t.arrivals[1].conversation, "");
  EXPECT_FALSE(t.arrivals[2].conversation.has_value());
  EXPECT_EQ(t.arrivals[3].conversation, "x, y");
  EXPECT_EQ(t.end.inversions, 2u);
  EXPECT_TRUE(t.noticed("2 rows came before"));
  options.sort = arrival::ImportSort::assume;
  EXPECT_THROW(import_fixture("csv", "unsorted.csv", options), Error);
  options = {};
  options.columns.time_col = "what";
  EXPECT_THROW(import_fixture("csv", "unsorted.csv", options), Error);
}

TEST(ImportCsv, HeaderIsDetected) {
  EXPECT_EQ(import_text("csv", "1,x\n2,y\n").arrivals.size(), 2u);
  EXPECT_EQ(import_text("csv", "t,x\n1,x\n2,y\n").arrivals.size(), 2u);
  EXPECT_EQ(import_text("csv", "x,Timestamp\n9,1\n9,2\n").times(), (Times{0, kSecond}));
  arrival::ImportOptions options;
  options.columns.header = arrival::HeaderLine::yes;
  EXPECT_EQ(import_text("csv", "1,x\n2,y\n", options).arrivals.size(), 1u);
  options.columns.header = arrival::HeaderLine::no;
  options.columns.time_col = "2";
  options.columns.input_col = "1";
  const Imported t = import_text("csv", "12.0\t1\n13\t2\n", options);
  EXPECT_EQ(t.arrivals[0].input_tokens, 12u);
}

TEST(ImportCsv, UnitsFormatsAndZonesOfTimes) {
  const auto gap = [](const char* rows, auto set) {
    arrival::ImportOptions options;
    set(options.columns);
    options.columns.header = arrival::HeaderLine::no;
    const Imported t = import_text("csv", rows, options);
    return t.times().at(1);
  };
  EXPECT_EQ(gap("1\n2\n", [](auto&) {}), kSecond);
  EXPECT_EQ(gap("1\n2.5\n", [](auto& c) { c.time_unit = arrival::TimeUnit::ms; }), 1'500'000);
  EXPECT_EQ(gap("1700000000000001\n1700000000000003\n", [](auto& c) { c.time_unit = arrival::TimeUnit::us; }),
            2000);
  EXPECT_EQ(
      gap("05/17/15 1:02:03 PM\n05/18/15 1:02:04 AM\n", [](auto& c) { c.time_format = "%D %I:%M:%S %p"; }),
      12 * 3600 * kSecond + kSecond);
  EXPECT_EQ(gap("2024-060\n2024-061\n", [](auto& c) { c.time_format = "%Y-%j"; }), kDay);
  EXPECT_EQ(gap("2023-03-26 01:59:59\n2023-03-26 03:00:00\n", [](auto& c) { c.tz = "Europe/Amsterdam"; }),
            kSecond);
  EXPECT_EQ(
      gap("2023-10-29 01:59:59\n2023-10-29 03:00:00\n", [](auto& c) { c.tz = "EST5EDT,M3.2.0,M11.1.0"; }),
      3601 * kSecond);
  EXPECT_EQ(gap("2023-10-29 01:59:59Z\n2023-10-29 03:00:00+01:00\n", [](auto& c) { c.tz = "+05:30"; }),
            kSecond);
  EXPECT_THROW(gap("1\n2\n", [](auto& c) { c.time_format = "%Q"; }), Error);
  EXPECT_THROW(gap("1\n2\n", [](auto& c) { c.tz = "Mars/Olympus"; }), Error);
}

TEST(ImportCsv, BigNumbersAreUnixTimesAndSmallOnesAreNot) {
  EXPECT_EQ(import_text("csv", "1700000000\n1700000001\n").run.epoch_unix_ns, 1'700'000'000 * kSecond);
  EXPECT_FALSE(import_text("csv", "17\n18\n").run.epoch_unix_ns.has_value());
}

TEST(ImportJsonl, NumbersTextsAndBadLines) {
  arrival::ImportOptions options;
  options.columns.class_col = "model";
  options.columns.input_col = "in";
  const Imported t = import_fixture("jsonl", "epochs.jsonl", options);
  EXPECT_EQ(t.times(), (Times{0, 123'457'000, 1'500'000'000}));
  EXPECT_FALSE(t.arrivals[0].klass.has_value());
  EXPECT_EQ(t.arrivals[1].klass, "m");
  EXPECT_EQ(t.arrivals[2].klass, "7");
  EXPECT_EQ(t.arrivals[2].input_tokens, 5u);
  EXPECT_EQ(t.end.bad_lines, 2u);
}

TEST(ImportLengths, ThreeKindsOfFiles) {
  using Pairs = std::vector<std::pair<uint32_t, uint32_t>>;
  EXPECT_EQ(arrival::read_lengths(fixture("lengths.csv")), (Pairs{{1, 2}, {3, 4}}));
  EXPECT_EQ(arrival::read_lengths(fixture("lengths-bare.csv")), (Pairs{{10, 20}, {30, 40}}));
  EXPECT_EQ(arrival::read_lengths(fixture("lengths.jsonl")), (Pairs{{1, 2}}));
  EXPECT_THROW(arrival::read_lengths(fixture("elb.csv")), Error);
  EXPECT_THROW(arrival::read_lengths("/dev/null"), Error);
  EXPECT_THROW(import_text("lengths", ""), Error);
}

TEST(ImportAuto, SaysWhatItFoundOrGivesUp) {
  const Imported t = import_fixture("auto", "mooncake.jsonl");
  EXPECT_EQ(t.arrivals.size(), 5u);
  EXPECT_TRUE(t.noticed("read as mooncake"));
  EXPECT_THROW(import_text("auto", ""), Error);
  EXPECT_THROW(import_text("auto", "hello world\n"), Error);
  EXPECT_EQ(arrival::detect_format(slurp(fixture("burstgpt-sessions.csv"))), "burstgpt");
  EXPECT_EQ(arrival::detect_format(slurp(fixture("epochs.jsonl"))), "jsonl");
  EXPECT_EQ(arrival::detect_format(slurp(fixture("elb.csv"))), "csv");
  EXPECT_EQ(arrival::detect_format(slurp(fixture("azure-crlf-bom.csv"))), "azure-llm");
}

}  // namespace
}  // namespace mlq::test
