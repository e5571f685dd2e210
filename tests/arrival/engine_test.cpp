#include "lib/arrival/process/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/arrival/path/paths.h"
#include "lib/stats/gof.h"
#include "tests/arrival/harness.h"

namespace mlq::arrival {
namespace {

using test::counts_in;
using test::failure_of_spec;
using test::gaps_s;
using test::ks_p;
using test::kSecond;
using test::times_of;
using test::trace_of;

constexpr double kLeastP = 1e-3;

// The number of arrivals in [0, seconds) of a renewal process of rate 1/s; blocks are kept short.
double count_of(const LawPtr& law, Start start, double seconds, uint64_t seed) {
  Limits limits;
  limits.duration_ns = static_cast<int64_t>(seconds * 1e9);
  const auto engine = make_engine({law, constant_path(Rate{1, 1'000'000'000}), nullptr, start, false, false},
                                  limits, seed, 0, nullptr);
  Block block;
  block.instants = 16;
  uint64_t n = 0;
  for (block.number = 0; !block.last; ++block.number) {
    engine->draw(block);
    engine->sequence(block);
    engine->place(block);
    n += block.times.size();
  }
  return static_cast<double>(n);
}

std::vector<double> counts_of(const LawPtr& law, Start start, double seconds, uint64_t seeds = 20000) {
  std::vector<double> counts;
  for (uint64_t seed = 0; seed < seeds; ++seed) counts.push_back(count_of(law, start, seconds, seed));
  return counts;
}

double error_of_mean(const std::vector<double>& x) {
  return std::sqrt(test::variance_of(x) / static_cast<double>(x.size()));
}

TEST(Start, StationaryCountsHaveTheMeanRateTimesTimeAtOnce) {
  for (const char* text : {"exp", "gamma:cv=2", "gamma:cv=0.5", "lomax:cv=3", "weibull:cv=2",
                           "lognormal:cv=1.5", "pareto:cv=0.5", "erlang:k=4", "h2:cv=3", "fixed"}) {
    const LawPtr law = parse_law(text, LawUse::gap);
    for (const double seconds : {0.5, 3.0}) {
      const std::vector<double> counts = counts_of(law, Start::stationary, seconds);
      EXPECT_NEAR(test::mean_of(counts), seconds, 4 * error_of_mean(counts) + 1e-12)
          << text << " " << seconds;
    }
  }
}

// Cox, Renewal Theory, section 4.5: m(t) = t + (c^2 - 1)/2 (1 - e^(-a t)) for two-branch gaps, with
// a = 2 p q' + 2 q p' of the branches' rates; t - (1 - e^(-4t))/4 for Erlang with two stages.
TEST(Start, AtAnEventCountsFollowTheRenewalFunction) {
  const double cv = 3;
  const double p = (1 + std::sqrt((cv * cv - 1) / (cv * cv + 1))) / 2;
  const double a = p * 2 * (1 - p) + (1 - p) * 2 * p;
  for (const double t : {0.5, 3.0}) {
    const std::vector<double> bursty = counts_of(h2_law(cv), Start::event, t);
    const double more = t + (cv * cv - 1) / 2 * (1 - std::exp(-a * t));
    EXPECT_NEAR(test::mean_of(bursty), more, 4 * error_of_mean(bursty)) << t;
    const std::vector<double> regular = counts_of(erlang_law(2), Start::event, t);
    const double fewer = t - (1 - std::exp(-4 * t)) / 4;
    EXPECT_NEAR(test::mean_of(regular), fewer, 4 * error_of_mean(regular)) << t;
  }
}

TEST(Start, ZeroPutsTheFirstArrivalAtZero) {
  const std::vector<int64_t> times = times_of("gamma --rate 10/s --cv 2 --start zero --count 100");
  EXPECT_EQ(times.front(), 0);
  EXPECT_GT(times.back(), 0);
  const std::vector<double> counts = counts_of(h2_law(3), Start::zero, 3, 4000);
  const std::vector<double> at_event = counts_of(h2_law(3), Start::event, 3, 4000);
  EXPECT_NEAR(test::mean_of(counts), 1 + test::mean_of(at_event), 5 * error_of_mean(counts));
}

TEST(Engine, ConstantRateIsTheExactRational) {
  // t = floor(G M / 2^128) with M = round(2^64 ns / events) in 64.64; redone here with wider arithmetic:
  // digits of 32 bits.
  const Rate rate = parse_rate("14.3/s");
  const u128 factor = ((u128{rate.ns} << 64) + rate.events / 2) / rate.events;
  const LawPtr law = exponential_law();
  const RandomStream gaps(9, Purpose::gaps);
  const RandomStream start(9, Purpose::start);
  u128 sum = 0;
  const std::vector<int64_t> times = times_of("poisson --rate 14.3/s --count 40000", 9);
  ASSERT_EQ(times.size(), 40000u);
  for (uint64_t k = 0; k < times.size(); ++k) {
    sum += to_fixed(k == 0 ? law->residual({&start, 0}) : law->sample({&gaps, k}));
    const uint64_t s1 = static_cast<uint64_t>(sum >> 64), s0 = static_cast<uint64_t>(sum);
    const uint64_t f1 = static_cast<uint64_t>(factor >> 64), f0 = static_cast<uint64_t>(factor);
    const u128 low =
        ((u128{s0} * f0) >> 64) + static_cast<uint64_t>(u128{s1} * f0) + static_cast<uint64_t>(u128{s0} * f1);
    const u128 high = ((u128{s1} * f0) >> 64) + ((u128{s0} * f1) >> 64) + u128{s1} * f1 + (low >> 64);
    ASSERT_EQ(times[k], static_cast<int64_t>(high)) << k;
  }
}

TEST(Engine, ScalingTheRateMovesEveryArrivalSmoothly) {
  const std::vector<int64_t> slow = times_of("gamma --rate 10/s --cv 2 --count 1000");
  const std::vector<int64_t> fast = times_of("gamma --rate 40/s --cv 2 --count 1000");
  for (size_t k = 0; k < slow.size(); ++k)
    ASSERT_NEAR(static_cast<double>(slow[k]), 4.0 * static_cast<double>(fast[k]), 4.5);
}

TEST(Engine, DurationAndCountCutAtTheirBorders) {
  for (const uint64_t n : {0u, 1u, 16383u, 16384u, 16385u, 32768u, 40000u}) {
    const std::vector<int64_t> times = times_of("poisson --rate 1k/s --count " + std::to_string(n));
    EXPECT_EQ(times.size(), n);
  }
  const std::vector<int64_t> all = times_of("poisson --rate 1k/s --count 40000");
  for (const size_t n : {1u, 100u, 16384u, 16385u, 20000u}) {
    // [0, T) with T on an arrival and one behind it
    EXPECT_EQ(times_of("poisson --rate 1k/s --duration " + std::to_string(all[n]) + "ns").size(), n);
    EXPECT_EQ(times_of("poisson --rate 1k/s --duration " + std::to_string(all[n] + 1) + "ns").size(), n + 1);
  }
  EXPECT_TRUE(times_of("poisson --rate 1/h --duration 1us").empty());
  EXPECT_TRUE(times_of("poisson --rate 1/s --duration 0").empty());
}

TEST(Engine, OtherLawsEndAtTheirCountsToo) {
  for (const char* spec : {"sinusoid --rate 1k/s --amplitude 0.5 --period 10s",
                           "cox --rate 1k/s --rate-cv 0.5", "concat --segment 5s@1k/s --segment 50s@2k/s"}) {
    const std::vector<int64_t> all = times_of(std::string(spec) + " --count 40000");
    ASSERT_EQ(all.size(), 40000u) << spec;
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
    EXPECT_EQ(times_of(std::string(spec) + " --count 16384"),
              std::vector<int64_t>(all.begin(), all.begin() + 16384));
    const std::string end = std::to_string(all[16384]);
    EXPECT_EQ(times_of(std::string(spec) + " --duration " + end + "ns"),
              std::vector<int64_t>(all.begin(), all.begin() + 16384))
        << spec;
  }
}

// ---- Segments.

TEST(Concat, RatesHoldInTheirSegments) {
  const std::vector<int64_t> times =
      times_of("concat --segment 100s@50/s --segment 100s@200/s --segment 100s@10/s");
  const std::vector<double> counts = counts_in(times, 100 * kSecond, 300 * kSecond);
  EXPECT_NEAR(counts[0], 5000, 4 * std::sqrt(5000.0));
  EXPECT_NEAR(counts[1], 20000, 4 * std::sqrt(20000.0));
  EXPECT_NEAR(counts[2], 1000, 4 * std::sqrt(1000.0));
}

TEST(Concat, ResidualsCarryOverSoBordersOfEqualRatesLeaveNoTrace) {
  const std::string segment = " --segment 1s@37/s";
  std::string spec = "concat --law gamma:cv=0.5";
  for (int k = 0; k < 2000; ++k) spec += segment;
  const std::vector<int64_t> cut = times_of(spec);
  const std::vector<int64_t> gamma = times_of("gamma --cv 0.5 --rate 37/s --duration 2000s");
  ASSERT_EQ(cut.size(), gamma.size());
  for (size_t k = 0; k < cut.size(); ++k) ASSERT_LE(std::abs(cut[k] - gamma[k]), 1);
  // chi-square of the phase in 100 cells
  std::vector<uint64_t> cells(100, 0);
  for (const int64_t t : cut) ++cells[static_cast<size_t>(t % kSecond / (kSecond / 100))];
  EXPECT_GT(
      stats::chi_square_test(cells, std::vector<double>(100, static_cast<double>(cut.size()) / 100)).p_value,
      kLeastP);
}

TEST(Concat, PhaseOfPoissonSegmentsIsUniform) {
  std::string spec = "concat";
  for (int k = 0; k < 500; ++k) spec += k % 2 == 0 ? " --segment 1s@300/s" : " --segment 1s@20/s";
  const std::vector<int64_t> times = times_of(spec);
  std::vector<uint64_t> cells(100, 0);
  for (const int64_t t : times) ++cells[static_cast<size_t>(t % kSecond / (kSecond / 100))];
  EXPECT_GT(stats::chi_square_test(cells, std::vector<double>(100, static_cast<double>(times.size()) / 100))
                .p_value,
            kLeastP);
}

TEST(Concat, CountedSegmentsEndAtTheirLastArrivalAndTheNextGapIsFresh) {
  const auto trace =
      trace_of("concat --segment n=16384@10/s --segment n=1@1/h --segment n=20000@1k/s --segment 1s@500/s");
  std::vector<int64_t> per_segment(4, 0);
  for (const auto& a : trace.arrivals) ++per_segment[*a.segment];
  EXPECT_EQ(per_segment[0], 16384);
  EXPECT_EQ(per_segment[1], 1);
  EXPECT_EQ(per_segment[2], 20000);
  EXPECT_NEAR(static_cast<double>(per_segment[3]), 500, 100);
  std::vector<double> last;
  for (size_t k = 16386; k < 36385; ++k)
    last.push_back(static_cast<double>(trace.arrivals[k].t_ns - trace.arrivals[k - 1].t_ns) * 1e-9);
  EXPECT_GT(ks_p(last, [](double x) { return 1 - std::exp(-1000 * x); }), kLeastP);
  // the path ends a second after the last counted arrival
  EXPECT_EQ(trace.end.duration_ns, trace.arrivals[36384].t_ns + kSecond);
}

TEST(Concat, ATimedSegmentAfterACountedOneBeginsAtThatArrival) {
  const auto trace = trace_of("concat --segment n=10@10/s --segment 2s@0.001/s --segment 100s@100/s");
  ASSERT_GT(trace.arrivals.size(), 1000u);
  const int64_t border = trace.arrivals[9].t_ns + 2 * kSecond;
  EXPECT_NEAR(static_cast<double>(trace.arrivals[10].t_ns - border), 0, 0.1e9);
  EXPECT_EQ(trace.end.duration_ns, border + 100 * kSecond);
}

// ---- Bent rates: times against numeric inversion of the integral.

void expect_times_rescale(const std::string& spec, const std::function<double(double)>& mass) {
  // R(t_k) must be the sum of unit-mean gaps: that of the same law at rate 1/s.
  const std::vector<int64_t> times = times_of(spec + " --duration 100s");
  const std::vector<int64_t> unit = times_of("poisson --rate 1/s --count " + std::to_string(times.size()));
  ASSERT_GT(times.size(), 1000u);
  for (size_t k = 0; k < times.size(); ++k) {
    const double t = static_cast<double>(times[k]) * 1e-9;
    const double rate = (mass(t + 1e-6) - mass(t - 1e-6)) / 2e-6;
    ASSERT_NEAR(mass(t), static_cast<double>(unit[k]) * 1e-9, 3e-9 * (1 + rate) + 1e-8) << spec << " " << k;
  }
}

TEST(Engine, SinusoidTimesInvertItsIntegral) {
  const double w = 6.283185307179586 / 30;
  expect_times_rescale("sinusoid --rate 50/s --amplitude 0.8 --period 30s",
                       [w](double t) { return 50 * (t + 0.8 / w * (1 - std::cos(w * t))); });
  const double v = 6.283185307179586 / 7;
  expect_times_rescale(
      "sinusoid --rate 50/s --amplitude 0.5 --period 30s --phase 0.25 --harmonic 0.5@7s",
      [=](double t) { return 50 * (t + 0.5 / w * std::sin(w * t) + 0.5 / v * (1 - std::cos(v * t))); });
}

TEST(Engine, RampTimesInvertItsIntegral) {
  expect_times_rescale("ramp --rate 10/s --level 9x --onset 20s --ramp 50s", [](double t) {
    if (t < 20) return 10 * t;
    if (t < 70) return 200 + 10 * (t - 20) + 0.5 * 80.0 / 50 * (t - 20) * (t - 20);
    return 200 + 500 + 0.5 * 80 * 50 + 90 * (t - 70);
  });
}

TEST(Engine, BentPathsNeverStepBackEvenWhereGapsVanish) {
  // cv 20: most gaps are far below a nanosecond, so neighbours differ by rounding alone.
  for (const char* spec :
       {"sinusoid --rate 100k/s --amplitude 1 --period 7s --law gamma:cv=20 --count 200000",
        "ramp --rate 100k/s --level 50x --ramp 10s --law gamma:cv=20 --count 200000",
        "expr '100000*(2+sin(t))' --law gamma:cv=20 --count 200000"}) {
    const std::vector<int64_t> times = times_of(spec);
    EXPECT_EQ(times.size(), 200000u);
    EXPECT_TRUE(std::is_sorted(times.begin(), times.end())) << spec;
  }
}

TEST(Engine, ZeroRatesAreSilentAndTheGapGoesOnAfterThem) {
  const std::vector<int64_t> times =
      times_of("square --rate 100/s --level 0x --period 10s --duty 0.5 --duration 100s");
  ASSERT_GT(times.size(), 4000u);
  for (const int64_t t : times) ASSERT_GE(t % (10 * kSecond), 5 * kSecond);
}

// ---- Both duration and count.

TEST(Conditioned, GivesExactlyNInTheTimeOnAnyPath) {
  for (const char* spec :
       {"poisson --rate 10/s", "gamma --rate 10/s --cv 3",
        "sinusoid --rate 10/s --amplitude 0.9 --period 20s", "concat --segment 20s@1/s --segment 80s@30/s",
        "onoff --on-rate 50/s --on exp:1s --off exp:3s", "expr '10+t'"}) {
    for (const uint64_t n : {1u, 7u, 1000u, 16383u, 16384u, 16385u}) {
      const std::vector<int64_t> times =
          times_of(std::string(spec) + " --duration 100s --count " + std::to_string(n));
      ASSERT_EQ(times.size(), n) << spec;
      EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
      EXPECT_GE(times.front(), 0);
      EXPECT_LT(times.back(), 100 * kSecond);
    }
  }
}

TEST(Conditioned, PoissonTimesAreOrderStatisticsOfUniforms) {
  std::vector<double> all, firsts;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::vector<int64_t> times = times_of("poisson --rate 1/s --duration 8s --count 5", seed);
    for (const int64_t t : times) all.push_back(static_cast<double>(t) / 8e9);
    firsts.push_back(static_cast<double>(times.front()) / 8e9);
  }
  EXPECT_GT(ks_p(all, [](double u) { return u; }), kLeastP);
  EXPECT_GT(ks_p(firsts, [](double u) { return 1 - std::pow(1 - u, 5); }), kLeastP);
}

TEST(Conditioned, BentPathsTakeTheirShare) {
  std::vector<double> all;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    for (const int64_t t :
         times_of("ramp --rate 1/s --level 3x --ramp 100s --duration 100s --count 500", seed))
      all.push_back(static_cast<double>(t) / 1e11);
  }
  EXPECT_GT(ks_p(all, [](double u) { return (u + u * u) / 2; }), kLeastP);
}

TEST(Conditioned, SaysWhetherItIsExact) {
  EXPECT_EQ(trace_of("poisson --rate 1/s --duration 8s --count 5").run.conditioned, "exact");
  EXPECT_EQ(trace_of("sinusoid --rate 1/s --amplitude 1 --period 4s --duration 8s --count 5").run.conditioned,
            "exact");
  EXPECT_EQ(trace_of("lognormal --rate 1/s --cv 1 --duration 8s --count 5").run.conditioned, "rescaled");
  EXPECT_EQ(trace_of("cox --rate 1/s --rate-cv 1 --duration 8s --count 5").run.conditioned, "rescaled");
  EXPECT_FALSE(trace_of("poisson --rate 1/s --count 5").run.conditioned.has_value());
}

TEST(Conditioned, WhatCannotBeFulfilledIsRefused) {
  EXPECT_EQ(
      failure_of_spec("concat --segment 10s@1/s --segment n=5@1/s --duration 100s --count 5").substr(0, 2),
      "2:");
  EXPECT_EQ(failure_of_spec("poisson --rate 1/s --batch 3 --duration 100s --count 5").substr(0, 2), "2:");
  EXPECT_EQ(failure_of_spec("step --rate 1/s --level 0x --duration 100s --count 5"),
            "3: the rate is 0 before --duration; nothing can arrive");
}

// ---- Batches.

TEST(Batch, ArrivalsComeTogetherAndAreCountedOneByOne) {
  const std::vector<int64_t> times = times_of("poisson --rate 100/s --batch fixed:3 --count 1000");
  ASSERT_EQ(times.size(), 1000u);
  for (size_t k = 0; k + 2 < times.size(); k += 3)
    ASSERT_TRUE(times[k] == times[k + 1] && times[k] == times[k + 2]);
  EXPECT_NE(times[2], times[3]);
}

TEST(Batch, RateAndDispersionAreThoseOfTheCompoundProcess) {
  // E K = 4, E K^2 = 28 of a geometric batch: IDC 28 / 4 = 7.
  const std::vector<int64_t> times =
      times_of("poisson --rate 50/s --batch geometric:mean=4 --duration 4000s");
  EXPECT_NEAR(static_cast<double>(times.size()) / 4000, 200, 4 * std::sqrt(50 * 28 / 4000.0));
  EXPECT_NEAR(test::idc_of(times, kSecond, 4000 * kSecond), 7, 0.7);
}

TEST(Batch, GiantBatchesKeepBlocksSmall) {
  Limits limits;
  limits.count = 5'000'000;
  limits.count_given = true;
  const auto engine = make_engine({exponential_law(), constant_path(Rate{1, 1}),
                                   parse_law("fixed:1e6", LawUse::count), Start::stationary, false, false},
                                  limits, 1, 0, nullptr);
  Block block;
  size_t total = 0;
  for (block.number = 0; !block.last; ++block.number) {
    engine->draw(block);
    engine->sequence(block);
    engine->place(block);
    EXPECT_LE(block.times.size(), 2'000'000u);
    total += block.times.size();
  }
  EXPECT_EQ(total, 5'000'000u);
}

TEST(Batch, EmptyBatchesAreAllowedButNotOnlyThem) {
  const std::vector<int64_t> times =
      times_of("poisson --rate 100/s --batch uniform:lo=0,hi=1 --duration 100s");
  EXPECT_NEAR(static_cast<double>(times.size()), 5000, 4 * std::sqrt(5000.0));
  EXPECT_EQ(failure_of_spec("poisson --rate 1/s --batch uniform:lo=0,hi=0.4 --count 5"),
            "2: --batch: its arrivals are nearly always 0");
}

// ---- The end of time.

TEST(Engine, TimesPastTheEndAreRefusedOnlyIfTheyAreWanted) {
  EXPECT_EQ(failure_of_spec("poisson --gap 100000d --count 1000000"),
            "3: times pass 2^63 ns (292 years); give a --duration, a smaller --count or a higher rate");
  EXPECT_EQ(times_of("erlang --k 100 --gap 1000d --count 10").size(), 10u);
  EXPECT_EQ(times_of("concat --segment n=1000000@gap=1000d --count 10").size(), 10u);
  EXPECT_NEAR(static_cast<double>(times_of("poisson --gap 10d --duration 10000d").size()), 1000, 130);
}

TEST(Engine, GapsBeyondAllTimeDoNotWrapAround) {
  // A tail index of 1.01: first gaps of more than 2^64 mean gaps are common.
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const std::vector<int64_t> times = times_of("pareto --alpha 1.01 --rate 1/s --duration 100s", seed);
    EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
    EXPECT_LT(times.size(), 20000u);
  }
}

TEST(Engine, AnEndlessSilenceIsAnEndOrAnError) {
  EXPECT_EQ(failure_of_spec("step --rate 1/s --level 0x --onset 10s --count 1000").substr(0, 17),
            "3: times pass 2^6");
  const std::vector<int64_t> times = times_of("step --rate 10/s --level 0x --onset 10s --duration 1000s");
  EXPECT_NEAR(static_cast<double>(times.size()), 100, 40);
}

TEST(Engine, PathIsEmittedAsItIsRun) {
  const auto trace =
      trace_of("concat --segment 1s@10/s --segment n=5@20/s --segment 2s@5/s", {.emit_path = true});
  ASSERT_EQ(trace.path.size(), 3u);
  EXPECT_EQ(trace.path[0].t_ns, 0);
  EXPECT_EQ(trace.path[1].t_ns, kSecond);
  EXPECT_EQ(trace.path[1].rate_per_s, 20);
  EXPECT_EQ(trace.path[2].rate_per_s, 5);
  const auto linear =
      trace_of("ramp --rate 10/s --level 3x --onset 1s --ramp 2s --duration 5s", {.emit_path = true});
  ASSERT_EQ(linear.path.size(), 3u);
  EXPECT_EQ(linear.path[1].rate_end_per_s, 30);
}

}  // namespace
}  // namespace mlq::arrival
