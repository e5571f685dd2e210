#include "lib/arrival/describe/describe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lib/arrival/describe/period.h"
#include "lib/arrival/import/import.h"
#include "lib/arrival/trace/count_series.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "tests/arrival/trace_files.h"
#include "tests/support/traces.h"

namespace mlq::arrival {
namespace {

using test::arrivals_at;
using test::TempDir;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kHour = 3600 * kSecond;

std::vector<int64_t> poisson_times(size_t n, double mean_gap_ns, uint64_t seed) {
  const RandomStream random(seed, Purpose::gaps);
  std::vector<int64_t> times(n);
  double t = 0;
  for (size_t i = 0; i < n; ++i) {
    t += -fmath::log(random.uniform(i)) * mean_gap_ns;
    times[i] = static_cast<int64_t>(t);
  }
  return times;
}

struct Described {
  StatSummary summary;
  std::string text;
  std::vector<records::TraceStat> stats;
};

Described describe(const TempDir& dir, const std::string& file, const StatOptions& options = {}) {
  Described out;
  out.text = test::written_by(dir, [&](records::Writer& writer) {
               out.summary = run_stat(file, options, test::test_run(), writer);
             }).text;
  out.stats = test::records_in<records::TraceStat>(dir, out.text);
  return out;
}

template <class T>
std::vector<T> described_as(const TempDir& dir, const Described& described) {
  return test::records_in<T>(dir, described.text);
}

// ---- Exact values

TEST(Stat, OfAHandMadeTraceIsExact) {
  const TempDir dir;
  auto arrivals = arrivals_at({0, 100, 100, 400, kSecond});
  arrivals[0].input_tokens = 10;
  arrivals[1].input_tokens = 20;
  arrivals[2].output_tokens = 7;
  const records::TraceStat all = describe(dir, test::trace_file(dir, "t", arrivals, 2 * kSecond)).stats.at(0);
  EXPECT_EQ(all.klass, "*");
  EXPECT_EQ(all.count, 5u);
  EXPECT_EQ(all.duration_ns, 2 * kSecond);
  EXPECT_DOUBLE_EQ(all.rate_per_s, 2.5);
  EXPECT_DOUBLE_EQ(*all.gap_mean_ns, 2.5e8);
  EXPECT_EQ(all.gap_p50_ns, 100);
  EXPECT_EQ(all.gap_max_ns, kSecond - 400);
  EXPECT_DOUBLE_EQ(*all.peak_ratio_1s, 4 / 2.5);
  EXPECT_EQ(all.tick_ns, 100);
  EXPECT_EQ(all.distinct_times, 4u);
  EXPECT_EQ(all.inversions, 0u);
  EXPECT_DOUBLE_EQ(*all.input_tokens_mean, 15);
  EXPECT_EQ(all.input_tokens_p50, 10);
  EXPECT_EQ(all.output_tokens_p99, 7);
}

TEST(Stat, GapCvIsThatOfTheGaps) {
  const TempDir dir;
  // Gaps 1, 3, 1, 3, ...: mean 2, standard deviation 1.
  std::vector<int64_t> times{0};
  for (int k = 0; k < 500; ++k) {
    times.push_back(times.back() + kSecond);
    times.push_back(times.back() + 3 * kSecond);
  }
  const Described out = describe(dir, test::trace_file(dir, "t", arrivals_at(times)));
  EXPECT_NEAR(*out.stats[0].gap_cv, 0.5, 1e-12);
  const auto acf = described_as<records::Acf>(dir, out);
  ASSERT_EQ(acf.size(), 50u);
  EXPECT_NEAR(acf[0].acf, -0.999, 1e-9);  // (n - 1) / n of -1
  EXPECT_NEAR(acf[1].acf, 0.998, 1e-9);
}

TEST(Stat, OfEquallySpacedArrivalsHasNoDispersion) {
  const TempDir dir;
  std::vector<int64_t> times;
  for (int64_t k = 0; k < 100'000; ++k) times.push_back(k * 1'000'000);
  const Described out = describe(dir, test::trace_file(dir, "t", arrivals_at(times), 100 * kSecond));
  EXPECT_EQ(out.stats[0].gap_cv, 0);
  EXPECT_EQ(out.stats[0].peak_ratio_1s, 1);
  ASSERT_EQ(out.summary.idc.size(), 4u);  // 1 ms to 1 s; of 10 s there are but ten windows
  for (const records::Idc& idc : out.summary.idc) EXPECT_EQ(idc.idc, 0);
}

// ---- Statistics with known answers

TEST(Stat, OfAPoissonProcessIsUnremarkable) {
  const TempDir dir;
  const Described out =
      describe(dir, test::trace_file(dir, "t", arrivals_at(poisson_times(100'000, 1e7, 1))));
  const records::TraceStat& all = out.stats.at(0);
  EXPECT_NEAR(*all.gap_cv, 1, 4 / std::sqrt(1e5));
  EXPECT_NEAR(static_cast<double>(*all.gap_p50_ns), 1e7 * std::log(2), 0.02 * 1e7);
  EXPECT_NEAR(static_cast<double>(*all.gap_p99_ns), 1e7 * std::log(100), 0.12 * 1e7);
  for (const records::Idc& idc : out.summary.idc) {
    EXPECT_LT(*idc.idc_lo, 1.1) << idc.window_ns;
    EXPECT_GT(*idc.idc_hi, 0.9) << idc.window_ns;
  }
  EXPECT_FALSE(all.period_ns);
  ASSERT_TRUE(all.hurst);
  EXPECT_NEAR(*all.hurst, 0.5, 0.1);
  for (const records::Qq& qq : described_as<records::Qq>(dir, out)) {
    if (qq.p < 0.05 || qq.p > 0.99) continue;
    EXPECT_NEAR(static_cast<double>(qq.observed_ns) / static_cast<double>(qq.expected_ns), 1, 0.06) << qq.p;
  }
}

TEST(Stat, FindsThePeriodOfASinusoid) {
  const TempDir dir;
  // Thinning of a Poisson process of 20/s to 10 (1 + sin): period 37 s.
  std::vector<int64_t> times;
  const RandomStream coins(1, Purpose::thin);
  const auto candidates = poisson_times(20'000, 5e7, 2);
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double t = static_cast<double>(candidates[i]) * 1e-9;
    if (coins.uniform(i) * 2 < 1 + std::sin(2 * M_PI * t / 37)) times.push_back(candidates[i]);
  }
  const Described out = describe(dir, test::trace_file(dir, "t", arrivals_at(times)));
  ASSERT_TRUE(out.stats[0].period_ns);
  EXPECT_NEAR(static_cast<double>(*out.stats[0].period_ns), 37e9, 0.3e9);
}

TEST(Stat, SeesBatches) {
  const TempDir dir;
  std::vector<int64_t> times;
  for (int64_t t : poisson_times(20'000, 3e8, 2)) times.push_back(t / (3 * kSecond) * 3 * kSecond);
  const records::TraceStat all = describe(dir, test::trace_file(dir, "t", arrivals_at(times))).stats.at(0);
  EXPECT_EQ(all.resolution_ns, 3 * kSecond);
  EXPECT_EQ(all.tick_ns, 3 * kSecond);
  ASSERT_TRUE(all.period_ns);
  EXPECT_NEAR(static_cast<double>(*all.period_ns), 3e9, 1e7);
}

TEST(StrongestPeriod, OfNoiseIsNoneAtTheSizeOfTheTest) {
  // White, and strongly coloured (AR(1), 0.98): a line is claimed in fewer than 1 in 100 of them.
  size_t claimed = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const RandomStream random(seed, Purpose::gaps);
    std::vector<double> x(1000);
    double level = 0;
    const double phi = seed % 2 == 0 ? 0 : 0.98;
    for (size_t i = 0; i < x.size(); ++i) {
      level = phi * level + fmath::normal_quantile(random.uniform(i));
      x[i] = level;
    }
    claimed += strongest_period(x).has_value() ? 1 : 0;
  }
  EXPECT_LE(claimed, 2u);
}

TEST(StrongestPeriod, IsTheFundamentalOfAComb) {
  std::vector<double> x(5000);
  for (size_t i = 0; i < x.size(); i += 25) x[i] = 10;
  const auto period = strongest_period(x);
  ASSERT_TRUE(period);
  EXPECT_NEAR(*period, 25, 0.05);
}

// ---- Classes, bins, kinds

TEST(Stat, DescribesClassesByName) {
  const TempDir dir;
  auto arrivals = arrivals_at({0, 10, 20, 40, 60});
  arrivals[0].klass = "b";
  arrivals[1].klass = "a";
  arrivals[2].klass = "a";
  arrivals[3].klass = "b";
  const Described out = describe(dir, test::trace_file(dir, "t", arrivals, 100));
  ASSERT_EQ(out.stats.size(), 3u);
  EXPECT_EQ(out.stats[1].klass, "a");
  EXPECT_EQ(out.stats[1].gap_max_ns, 10);
  EXPECT_EQ(out.stats[2].klass, "b");
  EXPECT_EQ(out.stats[2].gap_max_ns, 40);
  for (auto& arrival : arrivals) arrival.klass = "only";
  EXPECT_EQ(describe(dir, test::trace_file(dir, "u", arrivals, 100)).stats.size(), 1u);
}

TEST(Stat, BinsCoverTheTraceAndCountEveryArrival) {
  const TempDir dir;
  const auto times = poisson_times(3000, 1e8, 5);
  const int64_t duration = 400 * kSecond + kSecond / 2;
  const auto file = test::trace_file(dir, "t", arrivals_at(times), duration);
  for (const std::optional<int64_t> width : {std::optional<int64_t>(), std::optional<int64_t>(7 * kSecond)}) {
    StatOptions options;
    options.bin_ns = width;
    options.emit = parse_stat_kinds("bin");
    const auto bins = described_as<records::Bin>(dir, describe(dir, file, options));
    int64_t at = 0;
    double sum = 0;
    for (const records::Bin& bin : bins) {
      EXPECT_EQ(bin.t_ns, at);
      at += bin.dt_ns;
      sum += bin.count;
    }
    EXPECT_EQ(at, duration);
    EXPECT_EQ(sum, 3000);
    EXPECT_EQ(bins.front().dt_ns, width.value_or(5 * kSecond));
  }
}

TEST(Stat, ABinIsHalfOpen) {
  const TempDir dir;
  StatOptions options;
  options.bin_ns = 10;
  options.emit = parse_stat_kinds("bin");
  const auto bins = described_as<records::Bin>(
      dir, describe(dir, test::trace_file(dir, "t", arrivals_at({0, 9, 10, 30})), options));
  ASSERT_EQ(bins.size(), 4u);
  EXPECT_EQ(bins[0].count, 2);
  EXPECT_EQ(bins[1].count, 1);
  EXPECT_EQ(bins[2].count, 0);
  EXPECT_EQ(bins[3].count, 1);
  EXPECT_EQ(bins[3].dt_ns, 10);  // an arrival at the very end has a bin of its own
}

TEST(Stat, WritesOnlyTheKindsAskedFor) {
  const TempDir dir;
  const auto file = test::trace_file(dir, "t", arrivals_at(poisson_times(100, 1e8, 5)));
  StatOptions options;
  options.emit = parse_stat_kinds("qq,idc");
  const Described out = describe(dir, file, options);
  EXPECT_TRUE(out.stats.empty());
  EXPECT_EQ(out.text.find("\"hist\""), std::string::npos);
  EXPECT_EQ(described_as<records::Qq>(dir, out).size(), 99u);
  EXPECT_EQ(out.summary.stats.size(), 1u);
  EXPECT_EQ(parse_stat_kinds("all").size(), 6u);
  for (const char* wrong : {"", "bin,", "bins", "all,x"})
    EXPECT_THROW(parse_stat_kinds(wrong), Error) << wrong;
}

TEST(Stat, HistogramsHoldEveryValue) {
  const TempDir dir;
  const auto hist = described_as<records::Hist>(
      dir, describe(dir, test::trace_file(dir, "t", arrivals_at({0, 5, 15, 20}))));
  ASSERT_EQ(hist.size(), 1u);
  EXPECT_EQ(hist[0].metric, "gap_ns");
  EXPECT_EQ(hist[0].bins, "5:2 10:1");
  EXPECT_EQ(hist[0].sum, "20");
}

TEST(Stat, PrefixReuseIsTheShareOfBlocksSeenBefore) {
  const TempDir dir;
  auto arrivals = arrivals_at({0, 1, 2});
  arrivals[0].prefix_ids = {1, 2};
  arrivals[1].prefix_ids = {1, 3};
  arrivals[2].prefix_ids = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(*describe(dir, test::trace_file(dir, "t", arrivals)).stats[0].prefix_reuse, 0.5);
}

// ---- Poor input

TEST(Stat, OfAnEmptyTraceIsNullsWithANote) {
  const TempDir dir;
  const Described out = describe(dir, dir.file("empty", ""));
  ASSERT_EQ(out.stats.size(), 1u);
  EXPECT_EQ(out.stats[0].count, 0u);
  EXPECT_FALSE(out.stats[0].gap_mean_ns);
  EXPECT_EQ(out.stats[0].note, "no arrivals");
  EXPECT_TRUE(summary_rows(out.stats[0]).size() >= 2);
}

TEST(Stat, OfOneArrivalHasNoGaps) {
  const TempDir dir;
  const records::TraceStat all = describe(dir, test::trace_file(dir, "t", arrivals_at({5}), 10)).stats.at(0);
  EXPECT_EQ(all.count, 1u);
  EXPECT_FALSE(all.gap_mean_ns);
  EXPECT_FALSE(all.tick_ns);
  EXPECT_TRUE(all.note);
}

TEST(Stat, OfArrivalsAtOneTimeIsNoDivisionByZero) {
  const TempDir dir;
  const records::TraceStat all =
      describe(dir, test::trace_file(dir, "t", arrivals_at({0, 0, 0}))).stats.at(0);
  EXPECT_TRUE(std::isnan(all.rate_per_s));
  EXPECT_FALSE(all.gap_cv);
  EXPECT_EQ(all.gap_max_ns, 0);
}

TEST(Stat, CountsInversionsAndDescribesTheSortedTrace) {
  const TempDir dir;
  const records::TraceStat all =
      describe(dir, test::trace_file(dir, "t", arrivals_at({10, 0, 30, 20}))).stats.at(0);
  EXPECT_EQ(all.inversions, 2u);
  EXPECT_EQ(all.gap_max_ns, 10);
}

TEST(Stat, OfTheLongestTraceStaysSmall) {
  const TempDir dir;
  const int64_t end = INT64_MAX;
  const Described out = describe(dir, test::trace_file(dir, "t", arrivals_at({0, end / 2, end})));
  EXPECT_EQ(out.stats[0].count, 3u);
  EXPECT_LE(out.summary.bins.size(), 200u);
}

// ---- Series of counts

TEST(Stat, OfBinsDescribesTheSeries) {
  const TempDir dir;
  std::string text;
  for (int hour = 0; hour < 24 * 30; ++hour) {
    const double count = 1000 + std::floor(500 * std::sin(2 * M_PI * hour / 24.0));
    text += "{\"type\":\"bin\",\"t_ns\":" + std::to_string(hour * kHour) +
            ",\"dt_ns\":" + std::to_string(kHour) + ",\"count\":" + std::to_string(static_cast<int>(count)) +
            "}\n";
  }
  const Described out = describe(dir, dir.file("bins", text));
  const records::TraceStat& all = out.stats.at(0);
  EXPECT_NEAR(static_cast<double>(all.count), 720'000, 400);
  EXPECT_EQ(all.duration_ns, 720 * kHour);
  EXPECT_NEAR(all.rate_per_s, 1000.0 / 3600, 0.001);
  ASSERT_TRUE(all.period_ns);
  EXPECT_NEAR(static_cast<double>(*all.period_ns), 24.0 * kHour, 0.05 * kHour);
  EXPECT_FALSE(all.gap_cv);
  ASSERT_EQ(out.summary.idc.size(), 2u);
  EXPECT_NEAR(out.summary.idc[0].idc, 125'000.0 / 1000, 1);  // variance of the sine over the mean
}

TEST(Stat, OfBinsByClassSumsThem) {
  const TempDir dir;
  const auto file = dir.file("bins",
                             "{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":10,\"count\":1,\"class\":\"a\"}\n"
                             "{\"type\":\"bin\",\"t_ns\":10,\"dt_ns\":10,\"count\":2,\"class\":\"a\"}\n"
                             "{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":10,\"count\":4,\"class\":\"b\"}\n");
  const Described out = describe(dir, file);
  ASSERT_EQ(out.stats.size(), 3u);
  EXPECT_EQ(out.stats[0].count, 7u);
  EXPECT_EQ(out.stats[1].count, 3u);
  EXPECT_EQ(out.stats[2].count, 4u);
}

TEST(Stat, RefusesBinsThatOverlapOrHaveNoLength) {
  const TempDir dir;
  for (const char* text : {"{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":0,\"count\":1}\n",
                           "{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":9,\"count\":-1}\n",
                           "{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":9,\"count\":1}\n"
                           "{\"type\":\"bin\",\"t_ns\":5,\"dt_ns\":9,\"count\":1}\n"}) {
    EXPECT_THROW(describe(dir, dir.file("bins", text)), Error) << text;
  }
}

// ---- Public traces

std::string imported(const TempDir& dir, std::string_view format, const std::string& file,
                     const ImportOptions& options = {}) {
  records::Writer writer(Output::open(dir / "imported.jsonl"), true);
  run_import(format, {file}, options, test::test_run(), writer);
  return dir / "imported.jsonl";
}

TEST(PublicTraces, AzureCodeIsBurstyAtEveryScale) {
  MLQ_NEED_TRACE(file, "azure-llm-2023/AzureLLMInferenceTrace_code.csv");
  const TempDir dir;
  const Described out = describe(dir, imported(dir, "azure-llm", file));
  const records::TraceStat& all = out.stats.at(0);
  EXPECT_EQ(all.count, 8819u);
  EXPECT_NEAR(*all.gap_cv, 13.2, 0.06);
  EXPECT_EQ(all.tick_ns, 1000);
  EXPECT_EQ(all.resolution_ns, 1000);
  EXPECT_NEAR(*all.input_tokens_mean * 8819, 18'059'974, 0.5);
  EXPECT_NEAR(*all.output_tokens_mean * 8819, 245'896, 0.5);
  const auto second = std::find_if(out.summary.idc.begin(), out.summary.idc.end(),
                                   [](const records::Idc& idc) { return idc.window_ns == kSecond; });
  ASSERT_NE(second, out.summary.idc.end());
  EXPECT_NEAR(second->idc, 13.2, 0.06);
}

TEST(PublicTraces, MooncakeConversationIsBatchesOfThreeSeconds) {
  MLQ_NEED_TRACE(file, "mooncake/conversation_trace.jsonl");
  const TempDir dir;
  const records::TraceStat all = describe(dir, imported(dir, "mooncake", file)).stats.at(0);
  EXPECT_EQ(all.count, 12'031u);
  EXPECT_EQ(all.distinct_times, 1180u);
  EXPECT_EQ(all.tick_ns, 1'000'000);
  EXPECT_EQ(all.resolution_ns, 3 * kSecond);
  EXPECT_NEAR(static_cast<double>(*all.period_ns), 3e9, 1e6);
  EXPECT_NEAR(*all.prefix_reuse, 0.366, 0.0005);
}

TEST(PublicTraces, MooncakeSyntheticReusesMoreOfItsPrefixes) {
  MLQ_NEED_TRACE(file, "mooncake/synthetic_trace.jsonl");
  const TempDir dir;
  const records::TraceStat all = describe(dir, imported(dir, "mooncake", file)).stats.at(0);
  EXPECT_EQ(all.distinct_times, 3982u);
  EXPECT_NEAR(*all.prefix_reuse, 0.640, 0.0005);
}

TEST(PublicTraces, WikipediaHasADay) {
  MLQ_NEED_TRACE(file, "limbo/wikipedia_trace.txt");
  const TempDir dir;
  ImportOptions options;
  options.bin_ns = kHour;
  const records::TraceStat all = describe(dir, imported(dir, "limbo", file, options)).stats.at(0);
  EXPECT_EQ(all.count, 2'112'744'963u);
  EXPECT_EQ(all.duration_ns, 1483 * kHour);
  ASSERT_TRUE(all.period_ns);
  EXPECT_NEAR(static_cast<double>(*all.period_ns), 24.0 * kHour, 0.02 * kHour);
}

// ---- Parts

TEST(CountSeries, WidensWithoutLosingACount) {
  CountSeries series;
  const auto times = poisson_times(10'000, 1e9, 1);
  for (const int64_t t : times) series.add(t);
  const auto counts = series.counts(times.back() + 1);
  double sum = 0;
  for (const double count : counts) sum += count;
  EXPECT_EQ(sum, 10'000);
  EXPECT_GE(counts.size(), 5000u);
  EXPECT_LE(counts.size(), size_t{1} << 17);
  EXPECT_EQ(static_cast<int64_t>(counts.size()), times.back() / series.window_ns() + 1);
}

TEST(RoundBinWidth, CutsIntoAboutAHundredWholeWindows) {
  for (int64_t duration = 200'000; duration < INT64_MAX / 3; duration += duration / 7) {
    CountSeries series;
    series.add(duration - 1);
    const int64_t width = round_bin_width(duration);
    EXPECT_EQ(width % series.window_ns(), 0) << duration;
    EXPECT_GE(duration / width, 30) << duration;
    EXPECT_LE(duration / width, 140) << duration;
  }
  EXPECT_EQ(round_bin_width(kHour), 30 * kSecond);
  EXPECT_EQ(round_bin_width(24 * kHour), 600 * kSecond + 1200 * kSecond);
}

}  // namespace
}  // namespace mlq::arrival
