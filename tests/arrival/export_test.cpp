// Export, and that what goes out comes in again.
#include "lib/base/error.h"
#include "lib/records/codec.h"
#include "tests/arrival/import_support.h"

namespace mlq::test {
namespace {

std::string stream_of(const std::vector<records::Arrival>& arrivals) {
  jsonl::Buffer out;
  for (const auto& a : arrivals) records::write_record(out, a);
  return std::string(out.view());
}

records::Arrival at(int64_t t_ns) {
  records::Arrival a;
  a.t_ns = t_ns;
  return a;
}

// An arrival with a value in every field.
records::Arrival full(int64_t t_ns, uint64_t i) {
  records::Arrival a = at(t_ns);
  a.i = i;
  a.klass = "chat, \"quoted\"";
  a.input_tokens = 4'294'967'295u;
  a.output_tokens = 0;
  a.size_bytes = UINT64_MAX;
  a.rows = 3;
  a.key = 9;
  a.conversation = "";
  a.turn = 1;
  a.after_i = 0;
  a.think_ns = -5;
  a.prefix_ids = std::vector<uint64_t>{1, UINT64_MAX, 0};
  a.method = "GET";
  a.path = "/caf\xC3\xA9";
  a.prompt = "two\nlines\r\n\ttab";
  a.body = std::string("\x01\x1F", 2) + "\"";
  a.deadline_ns = INT64_MAX;
  a.segment = 2;
  a.episode = 3;
  return a;
}

TEST(ExportCsv, EveryFieldComesBack) {
  records::Arrival empty_ids = full(20, 1);
  empty_ids.prefix_ids = std::vector<uint64_t>{};
  const std::string stream = stream_of({full(10, 0), empty_ids, at(30), full(30, 3)});
  const std::string csv = export_text("csv", stream);
  const Imported t = import_text("csv", csv);
  EXPECT_EQ(stream_of(t.arrivals), stream);
  EXPECT_EQ(export_text("csv", t.text), csv);
}

TEST(ExportCsv, OnlyColumnsThatOccur) {
  records::Arrival second = at(2'000'000'000);
  second.output_tokens = 7;
  EXPECT_EQ(export_text("csv", stream_of({at(5), second})), "t_ns,output_tokens\n5,\n2000000000,7\n");
  EXPECT_EQ(export_text("csv", ""), "t_ns\n");
}

TEST(ExportCsv, LittleMemoryGivesTheSameBytes) {
  std::vector<records::Arrival> arrivals;
  for (uint64_t i = 0; i < 3000; ++i) arrivals.push_back(full(static_cast<int64_t>(i), i));
  const std::string stream = stream_of(arrivals);
  arrival::ExportOptions options;
  options.memory_bytes = 1;
  EXPECT_TRUE(export_text("csv", stream, options) == export_text("csv", stream));
}

TEST(ExportGaps, ComeBackToTheNanosecond) {
  const std::string stream = stream_of({at(0), at(1), at(1), at(1'000'000'001), at(INT64_MAX)});
  const std::string gaps = export_text("gaps", stream);
  EXPECT_EQ(gaps, "0.000000000\n0.000000001\n0.000000000\n1.000000000\n9223372035.854775806\n");
  const Imported t = import_text("gaps", gaps);
  EXPECT_EQ(stream_of(t.arrivals), stream);
  EXPECT_THROW(export_text("gaps", stream_of({at(2), at(1)})), Error);
}

TEST(ExportMooncake, ComesBackAndSaysWhatIsCut) {
  records::Arrival a = at(1'500'000);
  a.input_tokens = 10;
  a.output_tokens = 20;
  a.prefix_ids = std::vector<uint64_t>{1, 22};
  std::vector<std::string> notices;
  arrival::ExportOptions options;
  options.notice = [&](const std::string& text) { notices.push_back(text); };
  const std::string out = export_text("mooncake", stream_of({a}), options);
  EXPECT_EQ(out, "{\"timestamp\": 1, \"input_length\": 10, \"output_length\": 20, \"hash_ids\": [1, 22]}\n");
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].find("1 ms"), notices[0].npos);
  a.t_ns = 0;
  EXPECT_EQ(stream_of(import_text("mooncake", export_text("mooncake", stream_of({a}))).arrivals),
            stream_of({a}));
  EXPECT_THROW(export_text("mooncake", stream_of({at(0)})), Error);
}

TEST(ExportAzureLlm, TakesTheEpochOfTheTraceOrTheOption) {
  records::Arrival a = at(100);
  a.input_tokens = 1;
  a.output_tokens = 2;
  std::vector<std::string> notices;
  arrival::ExportOptions options;
  options.notice = [&](const std::string& text) { notices.push_back(text); };
  EXPECT_EQ(export_text("azure-llm", stream_of({a}), options),
            "TIMESTAMP,ContextTokens,GeneratedTokens\r\n1970-01-01 00:00:00.0000001,1,2");
  EXPECT_EQ(notices.size(), 1u);
  options.epoch_unix_ns = arrival::parse_origin("2024-02-29T23:59:59Z");
  EXPECT_EQ(export_text("azure-llm", stream_of({a}), options),
            "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-02-29 23:59:59.0000001,1,2");
  EXPECT_EQ(notices.size(), 1u);
  EXPECT_EQ(export_text("azure-llm", ""), "TIMESTAMP,ContextTokens,GeneratedTokens");
}

TEST(ExportAzureLlm, ImportedFixtureComesBack) {
  const Imported t = import_fixture("azure-llm", "azure-crlf-bom.csv");
  const Imported again = import_text("azure-llm", export_text("azure-llm", t.text));
  EXPECT_EQ(stream_of(again.arrivals), stream_of(t.arrivals));
  EXPECT_EQ(again.run.epoch_unix_ns, t.run.epoch_unix_ns);
}

TEST(Export, RefusesUnknownFormats) {
  EXPECT_THROW(export_text("nonsense", ""), Error);
  EXPECT_EQ(arrival::export_formats().size(), 4u);
}

}  // namespace
}  // namespace mlq::test
