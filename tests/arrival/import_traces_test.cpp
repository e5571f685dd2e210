// The numbers that were computed from the public traces by other means.
#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>
#include <unordered_set>

#include "lib/records/codec.h"
#include "tests/arrival/import_support.h"

namespace mlq::test {
namespace {

uint64_t sum_input(const Imported& t) {
  return std::accumulate(t.arrivals.begin(), t.arrivals.end(), uint64_t{0},
                         [](uint64_t s, const auto& a) { return s + a.input_tokens.value(); });
}
uint64_t sum_output(const Imported& t) {
  return std::accumulate(t.arrivals.begin(), t.arrivals.end(), uint64_t{0},
                         [](uint64_t s, const auto& a) { return s + a.output_tokens.value(); });
}
double sum_counts(const Imported& t) {
  return std::accumulate(t.bins.begin(), t.bins.end(), 0.0,
                         [](double s, const auto& b) { return s + b.count; });
}
size_t distinct_times(const Imported& t) {
  std::set<int64_t> times;
  for (const auto& a : t.arrivals) times.insert(a.t_ns);
  return times.size();
}

// Lines of arrivals must be those that the writer of records would have made.
void expect_canonical_lines(const Imported& t) {
  std::string lines;
  jsonl::Buffer buffer;
  for (const auto& a : t.arrivals) records::write_record(buffer, a);
  const size_t begin = t.text.find('\n') + 1;
  const size_t end = t.text.rfind("{\"type\":\"end\"");
  EXPECT_TRUE(t.text.substr(begin, end - begin) == buffer.view());
}

TEST(ImportTraces, AzureLlmCode) {
  MLQ_NEED_TRACE(path, "azure-llm-2023/AzureLLMInferenceTrace_code.csv");
  const Imported t = import_files("azure-llm", {path});
  EXPECT_EQ(t.arrivals.size(), 8819u);
  EXPECT_EQ(t.arrivals.front().t_ns, 0);
  EXPECT_EQ(t.arrivals.back().t_ns, 3'435'948'056'000);
  EXPECT_EQ(sum_input(t), 18'059'974u);
  EXPECT_EQ(sum_output(t), 245'896u);
  EXPECT_EQ(t.run.tick_ns, 1000);
  EXPECT_EQ(t.run.resolution_ns, 1000);
  EXPECT_EQ(t.run.epoch_unix_ns, 1'700'158'623'979'960'000);
  EXPECT_EQ(t.run.source_license, "CC-BY-4.0");
  EXPECT_EQ(t.end.bad_lines, 0u);
  EXPECT_EQ(t.end.inversions, 0u);
  EXPECT_EQ(t.result.lines, 8820u);
  expect_canonical_lines(t);
}

TEST(ImportTraces, AzureLlmExportGivesTheSameBytes) {
  MLQ_NEED_TRACE(path, "azure-llm-2023/AzureLLMInferenceTrace_code.csv");
  const Imported t = import_files("azure-llm", {path});
  EXPECT_TRUE(export_text("azure-llm", t.text) == slurp(path));
}

TEST(ImportTraces, MooncakeConversation) {
  MLQ_NEED_TRACE(path, "mooncake/conversation_trace.jsonl");
  const Imported t = import_files("mooncake", {path});
  EXPECT_EQ(t.arrivals.size(), 12'031u);
  EXPECT_EQ(distinct_times(t), 1180u);
  EXPECT_EQ(t.arrivals.back().t_ns, 3'536'999'000'000);
  EXPECT_EQ(sum_input(t), 144'793'823u);
  EXPECT_EQ(sum_output(t), 4'122'048u);
  std::unordered_set<uint64_t> blocks;
  size_t ids = 0;
  for (const auto& a : t.arrivals) {
    ids += a.prefix_ids->size();
    blocks.insert(a.prefix_ids->begin(), a.prefix_ids->end());
  }
  EXPECT_EQ(ids, 288'500u);
  EXPECT_EQ(blocks.size(), 182'790u);
  EXPECT_EQ(t.run.prefix_block_tokens, 512u);
  EXPECT_EQ(t.run.tick_ns, 1'000'000);
  EXPECT_EQ(t.run.resolution_ns, 3'000'000'000);  // batches
  EXPECT_FALSE(t.run.epoch_unix_ns.has_value());
  expect_canonical_lines(t);
  EXPECT_TRUE(export_text("mooncake", t.text) == slurp(path));
}

TEST(ImportTraces, MooncakeSynthetic) {
  MLQ_NEED_TRACE(path, "mooncake/synthetic_trace.jsonl");
  const Imported t = import_files("mooncake", {path});
  EXPECT_EQ(t.arrivals.size(), 3993u);
  EXPECT_EQ(distinct_times(t), 3982u);
  EXPECT_EQ(t.arrivals.back().t_ns, 1'022'025'000'000);
  EXPECT_EQ(sum_input(t), 61'194'628u);
  EXPECT_EQ(sum_output(t), 595'432u);
  expect_canonical_lines(t);
}

TEST(ImportTraces, LimboWikipedia) {
  MLQ_NEED_TRACE(path, "limbo/wikipedia_trace.txt");
  arrival::ImportOptions options;
  options.bin_ns = 3'600'000'000'000;
  const Imported t = import_files("limbo", {path}, options);
  ASSERT_EQ(t.bins.size(), 1483u);
  EXPECT_EQ(sum_counts(t), 2'112'744'963.0);
  const auto [least, most] = std::minmax_element(
      t.bins.begin(), t.bins.end(), [](const auto& a, const auto& b) { return a.count < b.count; });
  EXPECT_EQ(least->count, 213'458.0);
  EXPECT_EQ(most->count, 3'695'186.0);
  EXPECT_EQ(t.bins.back().t_ns, 1482 * *options.bin_ns);
  EXPECT_EQ(t.end.duration_ns, 1483 * *options.bin_ns);
  EXPECT_FALSE(t.noticed("missing"));
}

TEST(ImportTraces, LimboIbm) {
  MLQ_NEED_TRACE(path, "limbo/IBM_Transactions_trace_1week.txt");
  arrival::ImportOptions options;
  options.bin_ns = 900'000'000'000;
  const Imported t = import_files("limbo", {path}, options);
  EXPECT_EQ(t.bins.size(), 672u);
  EXPECT_EQ(sum_counts(t), 8'522'685.0);
}

TEST(ImportTraces, Gaps) {
  MLQ_NEED_TRACE(path, "rrl/interarrival_time_generated.txt");
  const Imported t = import_files("gaps", {path});
  EXPECT_EQ(t.arrivals.size(), 100u);
  EXPECT_EQ(t.arrivals.front().t_ns, 1'010'037);
  EXPECT_EQ(t.arrivals.back().t_ns, 707'782'416);  // 0.7077824164951748 s
}

TEST(ImportTraces, Clf) {
  MLQ_NEED_TRACE(path, "clf/apache_logs");
  const Imported t = import_files("clf", {path});
  EXPECT_EQ(t.arrivals.size(), 10'000u);
  EXPECT_EQ(t.end.bad_lines, 0u);
  EXPECT_EQ(distinct_times(t), 4362u);
  EXPECT_EQ(t.end.inversions, 4915u);
  uint64_t bytes = 0;
  size_t without = 0;
  for (const auto& a : t.arrivals) {
    bytes += a.size_bytes.value_or(0);
    without += a.size_bytes ? 0 : 1;
  }
  EXPECT_EQ(without, 669u);
  EXPECT_EQ(bytes, 2'747'282'740u);
  EXPECT_TRUE(std::is_sorted(t.arrivals.begin(), t.arrivals.end(),
                             [](const auto& a, const auto& b) { return a.t_ns < b.t_ns; }));
  EXPECT_EQ(t.run.tick_ns, 1'000'000'000);
  expect_canonical_lines(t);
}

TEST(ImportTraces, AzureFunctions2021) {
  MLQ_NEED_TRACE(path, "azure-functions-sample/Azure2021_200.csv");
  const Imported t = import_files("azure-func-2021", {path});
  EXPECT_EQ(t.arrivals.size(), 199u);
  std::set<std::string> functions;
  for (const auto& a : t.arrivals) functions.insert(a.klass.value());
  EXPECT_EQ(functions.size(), 31u);
  EXPECT_EQ(t.end.inversions, 0u);  // the file is in order of the starts
  EXPECT_EQ(t.arrivals.front().t_ns, 0);
  expect_canonical_lines(t);
  arrival::ImportOptions options;  // and not of the ends
  options.columns.time_col = "end_timestamp";
  options.columns.class_col = "func";
  const Imported ends = import_files("csv", {path}, options);
  EXPECT_EQ(ends.arrivals.size(), 199u);
  EXPECT_EQ(ends.end.inversions, 83u);
}

TEST(ImportTraces, AzureFunctions2019) {
  MLQ_NEED_TRACE(path, "azure-functions-sample/invocations.csv");
  const Imported t = import_files("azure-func-2019", {path});
  std::vector<std::pair<std::string, double>> sums;
  for (const auto& b : t.bins) {
    EXPECT_GT(b.count, 0);
    auto at = std::find_if(sums.begin(), sums.end(), [&](const auto& s) { return s.first == *b.klass; });
    if (at == sums.end()) at = sums.insert(sums.end(), {*b.klass, 0.0});
    at->second += b.count;
  }
  std::vector<double> counts;
  for (const auto& s : sums) counts.push_back(s.second);
  std::sort(counts.begin(), counts.end());
  EXPECT_EQ(counts, (std::vector<double>{1125, 1125, 1125, 1150}));
  EXPECT_EQ(t.end.duration_ns, 86'400'000'000'000);
}

TEST(ImportTraces, ServeGen) {
  MLQ_NEED_TRACE(folder, "servegen/data");
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().filename().string().ends_with("-trace.csv")) files.push_back(entry.path().string());
  }
  uint64_t gamma = 0;
  uint64_t weibull = 0;
  for (const std::string& file : files) {
    const Imported t = import_files("servegen", {file});
    const bool long_one = file.find("m-small") != file.npos;
    EXPECT_EQ(t.bins.size(), long_one ? 2016u : 144u) << file;
    unsigned long long windows = 0, clients = 0, g = 0, w = 0;
    ASSERT_EQ(
        std::sscanf(t.notices.at(0).c_str(), "%llu windows of %llu client%*[s:] %llu Gamma, %llu Weibull",
                    &windows, &clients, &g, &w),
        4);
    gamma += g;
    weibull += w;
  }
  EXPECT_EQ(gamma, 17'677u);
  EXPECT_EQ(weibull, 6'557u);
}

TEST(ImportTraces, ServeGenFirstWindow) {
  MLQ_NEED_TRACE(path, "servegen/data/multimodal/mm-image/chunk-0-trace.csv");
  const Imported t = import_files("servegen", {path});
  EXPECT_EQ(t.bins.front().klass, "chunk-0");
  EXPECT_DOUBLE_EQ(t.bins.front().count, 0.805 * 600);
  EXPECT_EQ(t.bins.front().dt_ns, 600'000'000'000);
}

TEST(ImportTraces, VidurLengths) {
  MLQ_NEED_TRACE(path, "vidur/arxiv_summarization_stats_llama2_tokenizer_filtered_v2.csv");
  const auto lengths = arrival::read_lengths(path);
  uint64_t input = 0;
  uint64_t output = 0;
  for (const auto& [in, out] : lengths) {
    input += in;
    output += out;
  }
  EXPECT_EQ(lengths.size(), 28'257u);
  EXPECT_EQ(input, 73'131'321u);
  EXPECT_EQ(output, 8'234'948u);
}

TEST(ImportTraces, AutoFindsTheFormat) {
  const std::pair<const char*, const char*> cases[] = {
      {"azure-llm-2023/AzureLLMInferenceTrace_code.csv", "azure-llm"},
      {"mooncake/conversation_trace.jsonl", "mooncake"},
      {"limbo/wikipedia_trace.txt", "limbo"},
      {"rrl/interarrival_time_generated.txt", "gaps"},
      {"clf/apache_logs", "clf"},
      {"azure-functions-sample/Azure2021_200.csv", "azure-func-2021"},
      {"azure-functions-sample/invocations.csv", "azure-func-2019"},
      {"servegen/data/multimodal/mm-image/chunk-0-trace.csv", "servegen"},
      {"servegen/data/reason/deepseek-r1/chunk-0-trace.csv", "servegen"},
  };
  for (const auto& [name, format] : cases) {
    MLQ_NEED_TRACE(path, name);
    EXPECT_EQ(arrival::detect_format(slurp(path).substr(0, 65536)), format) << name;
  }
}

}  // namespace
}  // namespace mlq::test
