// Processes as a whole: dispersion, memory, files and presets.
#include "lib/arrival/process/process.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "lib/arrival/path/paths.h"
#include "lib/arrival/process/rate_file.h"
#include "lib/arrival/text/numbers_file.h"
#include "lib/stats/acf.h"
#include "lib/stats/hurst.h"
#include "tests/arrival/harness.h"
#include "tests/support/temp_dir.h"

namespace mlq::arrival {
namespace {

using test::counts_in;
using test::idc_of;
using test::kSecond;
using test::times_of;

// ---- Index of dispersion. Its standard error over m windows is about sqrt(2 / m) for counts without memory,
// more with it; the bounds are four times that, with a factor for the memory.

TEST(Dispersion, OfMarkovModulatedPoissonFollowsTheClosedFormInEveryWindow) {
  // leave rates r1, r2; rates l1, l2
  const double r1 = 0.5, r2 = 2, l1 = 10, l2 = 100;
  const std::vector<int64_t> times = times_of("mmpp --rates 10/s,100/s --sojourn 2s,500ms --duration 60000s");
  for (const double w : {0.01, 0.1, 1.0, 10.0, 100.0}) {
    const double s = r1 + r2;
    const double form = 1 + 2 * r1 * r2 * (l1 - l2) * (l1 - l2) / (s * s * (l1 * r2 + l2 * r1)) *
                                (1 - (1 - std::exp(-s * w)) / (s * w));
    EXPECT_NEAR(idc_of(times, static_cast<int64_t>(w * 1e9), 60000 * kSecond), form,
                4 * form * std::sqrt(2 * w / 60000) + 0.02 * form)
        << w;
  }
}

TEST(Dispersion, OfRenewalProcessesTendsToTheSquareOfTheCv) {
  for (const char* law :
       {"gamma:cv=2", "gamma:cv=0.5", "h2:cv=3", "weibull:cv=1.5", "erlang:k=9", "lognormal:cv=0.7"}) {
    const std::vector<int64_t> times = times_of(std::string("concat --segment 40000s@20/s --law ") + law);
    const double cv = parse_law(law, LawUse::gap)->cv();
    EXPECT_NEAR(idc_of(times, 20 * kSecond, 40000 * kSecond), cv * cv, 0.13 * cv * cv + 0.01) << law;
  }
}

TEST(Dispersion, OfCoxIsThatOfTheGapsPlusThatOfTheRate) {
  // Within a step of the rate: cv^2 + mean count x rate_cv^2.
  const std::vector<int64_t> times =
      times_of("cox --rate 40/s --rate-cv 0.3 --rate-step 10s --duration 100000s");
  for (const double w : {1.0, 5.0, 10.0})
    EXPECT_NEAR(idc_of(times, static_cast<int64_t>(w * 1e9), 100000 * kSecond), 1 + 40 * w * 0.09,
                0.06 * (1 + 3.6 * w))
        << w;
}

TEST(Dispersion, OfExponentialOnOffFollowsTheClosedForm) {
  // An on-off source with exponential stays is an MMPP with rates r and 0; M of them have the same index.
  const double r1 = 1, r2 = 0.25, l1 = 50;
  const std::vector<int64_t> times =
      times_of("onoff --on-rate 50/s --on exp:1s --off exp:4s --sources 5 --duration 20000s");
  EXPECT_NEAR(static_cast<double>(times.size()) / 20000, 50, 1.5);
  for (const double w : {0.1, 1.0, 10.0}) {
    const double s = r1 + r2;
    const double form =
        1 + 2 * r1 * r2 * l1 * l1 / (s * s * l1 * r2) * (1 - (1 - std::exp(-s * w)) / (s * w));
    EXPECT_NEAR(idc_of(times, static_cast<int64_t>(w * 1e9), 20000 * kSecond), form, 0.1 * form) << w;
  }
}

// ---- Long memory.

double hurst_of(const std::string& how, double h, const std::string& duration, int64_t window_ns,
                int64_t end_ns) {
  const std::vector<int64_t> times =
      times_of("self-similar --hurst " + std::to_string(h) + " --by " + how + " --duration " + duration);
  return stats::hurst_wavelet(counts_in(times, window_ns, end_ns)).h;
}

TEST(SelfSimilar, CountsHaveTheHurstExponent) {
  for (const double h : {0.65, 0.85}) {
    EXPECT_NEAR(hurst_of("onoff --rate 100/s --sources 30 --mean-on 500ms --mean-off 500ms --start event", h,
                         "8192s", kSecond, 8192 * kSecond),
                h, 0.1)
        << h;
    EXPECT_NEAR(hurst_of("mg-inf --rate 100/s --sources 30 --mean-on 500ms --start event", h, "8192s",
                         kSecond, 8192 * kSecond),
                h, 0.1)
        << h;
    EXPECT_NEAR(hurst_of("fgn --rate 100/s --idc 20 --step 1s", h, "16384s", kSecond, 16384 * kSecond), h,
                0.06)
        << h;
  }
}

TEST(SelfSimilar, NoiseHitsItsIndexOfDispersion) {
  const std::vector<int64_t> times =
      times_of("self-similar --rate 100/s --hurst 0.7 --by fgn --idc 8 --step 500ms --duration 16000s");
  EXPECT_NEAR(idc_of(times, kSecond / 2, 16000 * kSecond), 8, 0.6);
  EXPECT_NEAR(static_cast<double>(times.size()) / 16000, 100, 6);
}

// ---- Files.

std::string table(const std::vector<std::pair<double, double>>& rows) {
  std::string text;
  for (const auto& [t, rate] : rows) text += fmt::format("{},{}\n", t, rate);
  return text;
}

std::vector<RateKnot> knots_of(const std::string& spec) {
  const EngineParts parts = make_engine_parts(parse_spec(spec), {});
  std::vector<RateKnot> knots;
  Piece piece;
  double t = 0;
  while (parts.path->next(piece)) {
    knots.push_back({t, piece.rate0_per_s});
    t += seconds_of_fixed_ns(piece.length);
    knots.push_back({t, piece.rate1_per_s});
  }
  return knots;
}

double rate_at(const std::vector<RateKnot>& knots, double t) {
  for (size_t k = 1; k < knots.size(); ++k) {
    const auto& [t0, r0] = knots[k - 1];
    const auto& [t1, r1] = knots[k];
    if (t1 > t0 && t >= t0 && t <= t1) return r0 + (r1 - r0) * (t - t0) / (t1 - t0);
  }
  return NAN;
}

TEST(RateFile, StepLinearAndSplineGoThroughTheValues) {
  const mlq::test::TempDir dir;
  const std::string file =
      "rate-file " + dir.file("r.csv", table({{0, 4}, {10, 8}, {20, 2}, {30, 2}, {40, 0}}));
  const auto step = knots_of(file);
  EXPECT_EQ(rate_at(step, 1), 4);
  EXPECT_EQ(rate_at(step, 19), 8);
  EXPECT_EQ(step.back().t_s, 40);
  const auto linear = knots_of(file + " --interp linear");
  EXPECT_DOUBLE_EQ(rate_at(linear, 2), 4);
  EXPECT_DOUBLE_EQ(rate_at(linear, 5), 4);
  EXPECT_DOUBLE_EQ(rate_at(linear, 10), 6);
  EXPECT_DOUBLE_EQ(rate_at(linear, 20), 5);
  const auto spline = knots_of(file + " --interp spline");
  for (const auto& [t, rate] : std::vector<std::pair<double, double>>{{5, 4}, {15, 8}, {25, 2}, {35, 2}})
    EXPECT_NEAR(rate_at(spline, t), rate, 1e-12) << t;
  for (double t = 0.5; t < 40; t += 0.5) {
    EXPECT_GE(rate_at(spline, t), 2 - 1e-12) << t;  // no overshoot
    EXPECT_LE(rate_at(spline, t), 8 + 1e-12) << t;
  }
}

TEST(RateFile, CompressAndMeanRateScale) {
  const mlq::test::TempDir dir;
  const std::string file = "rate-file " + dir.file("r.csv", table({{100, 4}, {110, 8}, {120, 0}}));
  const auto knots = knots_of(file + " --compress 10");
  EXPECT_DOUBLE_EQ(knots.back().t_s, 2);
  EXPECT_DOUBLE_EQ(rate_at(knots, 0.5), 40);
  const auto scaled = knots_of(file + " --mean-rate 60/s");
  EXPECT_DOUBLE_EQ(rate_at(scaled, 5), 40);
  EXPECT_DOUBLE_EQ(rate_at(scaled, 15), 80);
}

TEST(RateFile, RecordsAreReadAndHolesAreSilent) {
  const mlq::test::TempDir dir;
  const auto bins = knots_of(
      "rate-file " + dir.file("b.jsonl",
                              "{\"type\":\"bin\",\"t_ns\":1000000000,\"dt_ns\":2000000000,\"count\":6}\n"
                              "{\"type\":\"bin\",\"t_ns\":5000000000,\"dt_ns\":1000000000,\"count\":9}\n"));
  EXPECT_DOUBLE_EQ(rate_at(bins, 1), 3);
  EXPECT_DOUBLE_EQ(rate_at(bins, 3), 0);
  EXPECT_DOUBLE_EQ(rate_at(bins, 4.5), 9);
  EXPECT_DOUBLE_EQ(bins.back().t_s, 5);
  const auto rates = knots_of(
      "rate-file " + dir.file("r.jsonl",
                              "{\"type\":\"run\",\"tool\":\"x\",\"version\":\"1\",\"schema\":1,\"argv\":[]}\n"
                              "{\"type\":\"rate\",\"t_ns\":0,\"rate_per_s\":2,\"rate_end_per_s\":4}\n"
                              "{\"type\":\"rate\",\"t_ns\":4000000000,\"rate_per_s\":7}\n"
                              "{\"type\":\"end\",\"count\":2,\"duration_ns\":6000000000}\n"));
  EXPECT_DOUBLE_EQ(rate_at(rates, 2), 3);
  EXPECT_DOUBLE_EQ(rate_at(rates, 5), 7);
  EXPECT_DOUBLE_EQ(rates.back().t_s, 6);
}

TEST(RateFile, TakesTheBinsOfOneClass) {
  const mlq::test::TempDir dir;
  const std::string file =
      "rate-file " +
      dir.file("b.jsonl",
               "{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":1000000000,\"count\":6,\"class\":\"a\"}\n"
               "{\"type\":\"bin\",\"t_ns\":0,\"dt_ns\":1000000000,\"count\":8,\"class\":\"b\"}\n"
               "{\"type\":\"bin\",\"t_ns\":1000000000,\"dt_ns\":1000000000,\"count\":9,\"class\":\"b\"}\n");
  const auto bins = knots_of(file + " --class b");
  EXPECT_DOUBLE_EQ(rate_at(bins, 0.5), 8);
  EXPECT_DOUBLE_EQ(rate_at(bins, 1.5), 9);
  EXPECT_NE(test::failure_of_spec(file).find("--class takes the bins of one class"), std::string::npos);
  EXPECT_NE(test::failure_of_spec(file + " --class c").find("no bin of class \"c\""), std::string::npos);
}

TEST(RateFile, APipeHoldsWhatAFileMay) {
  const std::string text = "0 4\n10 8\n20 0\n";
  const mlq::test::TempDir dir;
  const std::string pipe = dir / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::jthread writer([&] { std::ofstream(pipe) << text; });
  EXPECT_EQ(times_of("rate-file " + pipe), times_of("rate-file " + dir.file("r.txt", text)));
}

TEST(RateFile, AnEmittedPathMakesTheSameTraceAgain) {
  const auto first = test::trace_of("concat --segment 10s@20/s --segment 20s@50/s", {.emit_path = true});
  const mlq::test::TempDir dir;
  std::string text;
  for (const auto& p : first.path)
    text += fmt::format("{{\"type\":\"rate\",\"t_ns\":{},\"rate_per_s\":{}}}\n", p.t_ns, p.rate_per_s);
  text += "{\"type\":\"rate\",\"t_ns\":30000000000,\"rate_per_s\":0}\n";
  const std::vector<int64_t> again = times_of("rate-file " + dir.file("path.jsonl", text));
  ASSERT_EQ(again.size(), first.arrivals.size());
  for (size_t k = 0; k < again.size(); ++k) ASSERT_LE(std::abs(again[k] - first.arrivals[k].t_ns), 1);
}

// ---- Presets.

TEST(Preset, RrlDynamicHasItsArrivalsSegmentsEpisodesAndLength) {
  double sum = 0;
  constexpr int kSeeds = 10;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed)
    sum += static_cast<double>(times_of("preset rrl-dynamic", seed).back()) * 1e-9;
  // gaps of 70, 60, 70, 100, 120 ms; variance of the sum is that of exponential gaps
  const double variance = 80e3 * 0.0049 + 50e3 * 0.0036 + 70e3 * 0.0049 + 40e3 * 0.01 + 60e3 * 0.0144;
  EXPECT_NEAR(sum / kSeeds, 24700, 4 * std::sqrt(variance / kSeeds));
  const auto trace = test::trace_of("preset rrl-dynamic");
  ASSERT_EQ(trace.arrivals.size(), 300000u);
  for (const auto& [index, segment] : std::vector<std::pair<size_t, uint32_t>>{{0, 0},
                                                                               {79999, 0},
                                                                               {80000, 1},
                                                                               {129999, 1},
                                                                               {130000, 2},
                                                                               {200000, 3},
                                                                               {239999, 3},
                                                                               {240000, 4},
                                                                               {299999, 4}})
    EXPECT_EQ(trace.arrivals[index].segment, segment) << index;
  EXPECT_EQ(trace.arrivals[299999].episode, 2999u);
  EXPECT_EQ(trace.arrivals[199].episode, 1u);
}

TEST(Preset, AzureLikeHasTheDispersionOfTheFile) {
  // From the closed forms: cv^2 + rate x the covariances of the rates in the window.
  const double sigma2 = std::log(1 + 0.22 * 0.22);
  double sum = 0;
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 6; ++j) sum += std::exp(sigma2 * std::pow(0.97, std::abs(i - j))) - 1;
  }
  const double at_1s = 1.078 * 1.078 + 5.53 * 0.22 * 0.22;
  const double at_60s = 1.078 * 1.078 + 5.53 * 60 * sum / 36;
  EXPECT_NEAR(at_1s, 1.4, 0.05);
  EXPECT_NEAR(at_60s, 16, 0.5);
  const std::vector<int64_t> times = times_of("preset azure-conv-like --duration 1000000s");
  EXPECT_NEAR(idc_of(times, kSecond, 1000000 * kSecond), at_1s, 0.03);
  EXPECT_NEAR(idc_of(times, 60 * kSecond, 1000000 * kSecond), at_60s, 1.2);
  EXPECT_NEAR(static_cast<double>(times.size()) / 1e6, 5.53, 0.1);
}

TEST(Preset, WikipediaSeriesHasItsDailyAndWeeklyMemory) {
  const std::string file = MLQ_SOURCE_DIR "/data/limbo-wikipedia/wikipedia_trace.txt";
  std::vector<double> counts;
  for (const NumberPair& row : read_number_pairs(file)) counts.push_back(row.second);
  ASSERT_EQ(counts.size(), 1483u);
  double total = 0;
  for (const double c : counts) total += c;
  EXPECT_EQ(total, 2112744963);
  const std::vector<double> acf = stats::autocorrelation(counts, 200);
  EXPECT_NEAR(acf[24], 0.93, 0.01);
  EXPECT_NEAR(acf[168], 0.85, 0.01);
  const auto trace = test::trace_of("preset rrl-wiki");
  EXPECT_EQ(trace.end.duration_ns, 1483 * kSecond);
  EXPECT_NEAR(static_cast<double>(trace.arrivals.size()), 50 * 1483, 4 * std::sqrt(50 * 1483.0));
}

TEST(Preset, ItsSettingsMayBeReplaced) {
  const auto text = [](const char* spec) { return format_spec(expand_preset(parse_spec(spec), "/data")); };
  EXPECT_EQ(text("preset bursty --rate 5/s --count 3"), "gamma --rate 5/s --count 3 --cv 3");
  EXPECT_EQ(text("preset bursty --rate 5/s --cv 2 --count 3"), "gamma --rate 5/s --count 3 --cv 2");
  EXPECT_EQ(text("preset rrl-wiki --gap 5ms"),
            "rate-file /data/limbo-wikipedia/wikipedia_trace.txt --gap 5ms --interp linear --bin 1h "
            "--compress 3600 "
            "--mean-rate 50/s");
  EXPECT_NE(text("preset azure-conv-like --gap 5ms").find("cox --gap 5ms --law"), std::string::npos);
  for (const PresetInfo& preset : preset_infos()) {
    const std::string name(preset.name);
    const bool rate = preset.spec.find("rate") == std::string_view::npos && name != "rrl-dynamic";
    EXPECT_EQ(test::times_of("preset " + name + (rate ? " --rate 50/s" : "") + " --count 100").size(), 100u)
        << name;
  }
}

TEST(Process, RandomPathsAreKnownAsSuch) {
  for (const char* spec :
       {"mmpp", "onoff", "cox", "self-similar", "step --base 'cox --rate 1/s'", "preset azure-conv-like"})
    EXPECT_TRUE(has_random_path(parse_spec(spec), "")) << spec;
  for (const char* spec : {"poisson", "sinusoid", "step --base 'sinusoid'", "preset rrl-dynamic"})
    EXPECT_FALSE(has_random_path(parse_spec(spec), "")) << spec;
}

}  // namespace
}  // namespace mlq::arrival
