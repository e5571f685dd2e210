// What all formats share: order, memory, origin, resolution, provenance, misfortunes.
#include <xxhash.h>

#include <algorithm>

#include "lib/arrival/import/rows.h"
#include "lib/base/error.h"
#include "lib/base/random.h"
#include "lib/records/codec.h"
#include "tests/arrival/import_support.h"

namespace mlq::test {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
using Times = std::vector<int64_t>;
using arrival::RowStore;

// Rows with these times whose bytes are their place; read back in order.
void expect_sorted(const Times& times, uint64_t memory, bool spills) {
  const TempDir folder;
  RowStore rows(memory, folder.path().string());
  std::vector<std::pair<int64_t, size_t>> expected;
  for (size_t i = 0; i < times.size(); ++i) {
    rows.begin().raw("dropped");
    rows.drop();
    rows.begin().raw(std::string(i % 50, 'x') + std::to_string(i));
    rows.commit(times[i]);
    expected.emplace_back(times[i], i);
  }
  rows.finish();
  EXPECT_EQ(rows.runs() > 0, spills);
  EXPECT_EQ(folder.listing(), "");  // nothing that could be left behind
  std::stable_sort(expected.begin(), expected.end(), [](auto& a, auto& b) { return a.first < b.first; });
  for (int pass = 0; pass < 2; ++pass) {
    size_t at = 0;
    rows.for_each([&](int64_t time, std::string_view bytes) {
      const size_t i = expected.at(at).second;
      EXPECT_EQ(time, expected[at].first);
      EXPECT_EQ(bytes, std::string(i % 50, 'x') + std::to_string(i));
      return ++at <= times.size();
    });
    EXPECT_EQ(at, times.size());
  }
}

Times shuffled_times(size_t n, uint64_t distinct) {
  Times times;
  for (size_t i = 0; i < n; ++i) times.push_back(static_cast<int64_t>(mix64(i) % distinct) - 100);
  return times;
}

TEST(ImportRows, KeepTheOrderOfEqualTimesInMemoryAndInRuns) {
  const Times times = shuffled_times(20'000, 300);
  expect_sorted(times, uint64_t{1} << 30, false);
  expect_sorted(times, 100'000, true);
  expect_sorted(times, 1, true);
}

TEST(ImportRows, InOrderOnesAreNotSorted) {
  Times times = shuffled_times(20'000, 1'000'000);
  std::sort(times.begin(), times.end());
  expect_sorted(times, uint64_t{1} << 30, false);
  expect_sorted(times, 50'000, true);
}

TEST(ImportRows, OneOrNone) {
  expect_sorted({}, 1, false);
  expect_sorted({5}, 1, false);
}

TEST(ImportRows, LargerThanTheMemory) {
  const TempDir folder;
  RowStore rows(1, folder.path().string());
  const std::string large(3'000'000, 'y');
  for (const int64_t t : {3, 1, 2}) {
    rows.begin().raw(large + std::to_string(t));
    rows.commit(t);
  }
  rows.finish();
  Times seen;
  rows.for_each([&](int64_t time, std::string_view bytes) {
    EXPECT_TRUE(bytes == large + std::to_string(time));
    seen.push_back(time);
    return seen.size() < 2;  // and stops when told
  });
  EXPECT_EQ(seen, (Times{1, 2}));
}

TEST(ImportRows, MissingFolderIsAnErrorOfTheEnvironment) {
  RowStore rows(1, "/nonexistent");
  try {
    for (int i = 0; i < 10'000; ++i) {
      rows.begin().raw("0123456789");
      rows.commit(-i);
    }
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
  }
}

std::string azure_rows(const std::vector<std::string>& times) {
  std::string text = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  for (const auto& t : times) text += "2023-11-16 " + t + ",1,2\n";
  return text;
}

TEST(Import, LittleMemoryGivesTheSameBytes) {
  std::vector<std::string> times;
  for (uint64_t i = 0; i < 5000; ++i) {
    times.push_back("12:" + std::to_string(10 + mix64(i) % 50) + ":" +
                    std::to_string(10 + mix64(i * 7) % 50) + ".5");
  }
  const std::string text = azure_rows(times);
  arrival::ImportOptions options;
  const Imported whole = import_text("azure-llm", text, options);
  options.memory_bytes = 1;
  const Imported merged = import_text("azure-llm", text, options);
  EXPECT_GT(whole.end.inversions, 2000u);
  EXPECT_TRUE(whole.text == merged.text);
  options.dequantise = arrival::Dequantise::uniform;
  const Imported spread_merged = import_text("azure-llm", text, options);
  options.memory_bytes = uint64_t{1} << 30;
  EXPECT_TRUE(import_text("azure-llm", text, options).text == spread_merged.text);
}

TEST(Import, ThreadsAndCompressionDoNotChangeTheBytes) {
  const TempDir folder;
  std::string text;
  for (uint64_t i = 0; i < 100'000; ++i) text += "0.00000000" + std::to_string(mix64(i)) + "\n";
  const std::string plain = folder.file("gaps", text);
  Output packed = Output::open(folder / "packed.zst");
  packed.write(text);
  packed.close();
  arrival::ImportOptions options;
  options.source_name = "gaps";
  options.threads = 1;
  const Imported one = import_files("gaps", {plain}, options);
  options.threads = 4;
  EXPECT_TRUE(import_files("gaps", {plain}, options).text == one.text);
  EXPECT_TRUE(import_files("gaps", {folder / "packed.zst"}, options).text == one.text);
}

TEST(Import, SourceHashIsThatOfTheBytes) {
  const std::string text = "1\n2\n";
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  char hex[33];
  std::snprintf(hex, sizeof hex, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  EXPECT_EQ(import_text("gaps", text).run.source_xxh3, hex);
  EXPECT_EQ(import_text("auto", text).run.source_xxh3, hex);
}

TEST(Import, OriginMovesZeroButNotBehindAnEvent) {
  const std::string text = azure_rows({"00:00:02.0", "00:00:03.0"});
  arrival::ImportOptions options;
  options.origin_ns = arrival::parse_origin("2023-11-16T00:00:00Z");
  const Imported t = import_text("azure-llm", text, options);
  EXPECT_EQ(t.times(), (Times{2 * kSecond, 3 * kSecond}));
  EXPECT_EQ(t.run.epoch_unix_ns, options.origin_ns);
  options.origin_ns = arrival::parse_origin("2023-11-16T00:00:03Z");
  EXPECT_THROW(import_text("azure-llm", text, options), Error);
}

TEST(Import, BatchesAreFoundAndSpreadInsideTheirStep) {
  std::vector<std::string> times;
  for (int batch = 0; batch < 50; ++batch) {
    for (int i = 0; i < 4; ++i)
      times.push_back("00:0" + std::to_string(batch / 12) + ":" + (batch % 12 < 2 ? "0" : "") +
                      std::to_string(batch % 12 * 5) + ".0");
  }
  const std::string text = azure_rows(times);
  arrival::ImportOptions options;
  EXPECT_EQ(import_text("azure-llm", text, options).run.resolution_ns, 5 * kSecond);
  options.dequantise = arrival::Dequantise::even;
  const Imported even = import_text("azure-llm", text, options);
  EXPECT_EQ(even.run.resolution_ns, 5 * kSecond);  // what was found
  for (size_t i = 0; i < even.arrivals.size(); ++i) {
    EXPECT_EQ(even.arrivals[i].t_ns, static_cast<int64_t>(i) * 1'250'000'000 + 625'000'000);
  }
  options.dequantise = arrival::Dequantise::uniform;
  const Imported uniform = import_text("azure-llm", text, options);
  EXPECT_TRUE(std::is_sorted(uniform.arrivals.begin(), uniform.arrivals.end(),
                             [](const auto& a, const auto& b) { return a.t_ns < b.t_ns; }));
  for (size_t i = 0; i < uniform.arrivals.size(); ++i) {
    EXPECT_EQ(uniform.arrivals[i].t_ns / (5 * kSecond), static_cast<int64_t>(i / 4));
  }
  options.seed = 2;
  EXPECT_NE(import_text("azure-llm", text, options).end.trace_xxh3, uniform.end.trace_xxh3);
}

TEST(Import, TooManyBadLinesAreAnError) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "1\n";
  std::string ten;
  for (int i = 0; i < 10; ++i) ten += "x\n";
  EXPECT_EQ(import_text("gaps", ten + "1\n").end.bad_lines, 10u);  // 10 always may
  EXPECT_THROW(import_text("gaps", ten + "x\n1\n"), Error);        // 11 of 12
  EXPECT_EQ(import_text("gaps", ten + text).end.bad_lines, 10u);   // under 1%
  EXPECT_THROW(import_text("gaps", ten + "x\n" + text), Error);    // 11 of 1,011: 1.09%
  arrival::ImportOptions options;
  options.max_bad = {1, 2};
  EXPECT_EQ(import_text("gaps", ten + ten + text, options).end.bad_lines, 20u);
}

TEST(Import, LongLinesAreBadLines) {
  arrival::ImportOptions options;
  options.max_line_bytes = 1000;
  const Imported t = import_text("gaps", "1\n" + std::string(300'000, '0') + "1\n1\n", options);
  EXPECT_EQ(t.times(), (Times{kSecond, 2 * kSecond}));
  EXPECT_EQ(t.end.bad_lines, 1u);
  EXPECT_TRUE(t.noticed("longer than --max-line"));
}

TEST(Import, EmptyFilesGiveEmptyTraces) {
  for (const auto& format : arrival::import_formats()) {
    arrival::ImportOptions options;
    options.bin_ns = kSecond;
    const Imported t = import_text(format.name, "", options);
    EXPECT_EQ(t.end.count, 0u) << format.name;
    EXPECT_FALSE(t.run.tick_ns.has_value());
    EXPECT_TRUE(t.noticed("is empty")) << format.name;
  }
}

TEST(Import, CrlfByteOrderMarkAndBlankLinesChangeNothing) {
  const Imported plain = import_text("gaps", "1\n2\n");
  for (const char* text : {"1\r\n2\r\n",
                           "\xEF\xBB\xBF"
                           "1\n2",
                           "\n1\n\n2\n\n", "\r\n1\r\n2\r\n"}) {
    EXPECT_EQ(import_text("gaps", text).end.trace_xxh3, plain.end.trace_xxh3);
  }
}

TEST(Import, BytesThatAreNoUtf8AreReplacedAndCounted) {
  arrival::ImportOptions options;
  options.columns.class_col = "2";
  const Imported t = import_text("csv", "1,a\xFFz\n2,\xC3\xA9\n", options);
  EXPECT_EQ(t.arrivals[0].klass, "a\xEF\xBF\xBDz");
  EXPECT_EQ(t.arrivals[1].klass, "\xC3\xA9");
  EXPECT_EQ(t.end.bad_bytes, 1u);
}

TEST(Import, ForgottenQuoteDoesNotSwallowTheFile) {
  arrival::ImportOptions options;
  options.max_line_bytes = 100;
  std::string text = "1,\"a\n";
  for (int i = 0; i < 100; ++i) text += "2,b\n";
  const Imported t = import_text("csv", text, options);
  EXPECT_EQ(t.end.bad_lines, 1u);
  EXPECT_GT(t.arrivals.size(), 50u);
  EXPECT_EQ(import_text("csv", "1,a\n2,\"b\n").end.bad_lines, 1u);
}

TEST(Import, StopRequestEndsTheImportCleanly) {
  StopFlag stop;
  stop.request(2);
  arrival::ImportOptions options;
  options.stop = &stop;
  const TempDir folder;
  records::Writer writer(Output::open(folder / "out.jsonl"), true);
  const auto result = arrival::run_import("gaps", {fixture("gaps.txt")}, options, import_run(), writer);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.records, 0u);
  EXPECT_EQ(folder.listing(), "");  // what a signal cut short does not take the place of a file
}

TEST(Import, MissingFilesUnknownFormatsAndBadOptions) {
  EXPECT_THROW(import_files("gaps", {"/nonexistent/file"}), Error);
  EXPECT_THROW(import_text("nonsense", ""), Error);
  arrival::ImportOptions options;
  options.bin_ns = 0;
  EXPECT_THROW(import_text("limbo", "", options), Error);
}

TEST(Import, TimesBeyondTheRangeAreRefused) {
  EXPECT_THROW(import_text("csv", "1700-01-01T00:00:00Z\n2200-01-01T00:00:00Z\n"), Error);
  EXPECT_EQ(import_text("csv", "1,x\n1e300,x\n").end.bad_lines, 1u);
}

TEST(Import, FilesWithAbsoluteTimesArePutTogether) {
  const TempDir folder;
  const Imported t =
      import_files("azure-llm", {folder.file("b.csv", azure_rows({"00:00:01.0", "00:00:03.0"})),
                                 folder.file("a.csv", azure_rows({"00:00:02.0"}))});
  EXPECT_EQ(t.times(), (Times{0, kSecond, 2 * kSecond}));
  EXPECT_EQ(t.end.inversions, 1u);
}

TEST(Import, SourceNamesAndLicencesCanBeGiven) {
  arrival::ImportOptions options;
  EXPECT_EQ(import_fixture("gaps", "gaps.txt").run.source_name, "gaps.txt");
  options.source_name = "mine";
  options.source_license = "CC0-1.0";
  const Imported t = import_fixture("mooncake", "mooncake.jsonl", options);
  EXPECT_EQ(t.run.source_name, "mine");
  EXPECT_EQ(t.run.source_license, "CC0-1.0");
}

// Every row that a fast parser makes, read as a record and written by the writer of records, is the same
// line.
TEST(Import, FastRowsAreTheLinesThatTheWriterOfRecordsWrites) {
  for (const auto& [format, file] :
       {std::pair{"azure-llm", "azure-forms.csv"}, std::pair{"mooncake", "mooncake.jsonl"},
        std::pair{"clf", "clf.log"}, std::pair{"burstgpt", "burstgpt-sessions.csv"}}) {
    const Imported t = import_fixture(format, file);
    jsonl::Buffer lines;
    for (const auto& a : t.arrivals) records::write_record(lines, a);
    EXPECT_NE(t.text.find(lines.view()), t.text.npos) << format;
  }
}

}  // namespace
}  // namespace mlq::test
