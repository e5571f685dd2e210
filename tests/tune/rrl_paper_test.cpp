// The suite rrl-paper: its loads, its references, and a slice of it.
#include "lib/tune/compare/rrl_paper.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lib/tune/compare/rrl_workload.h"

namespace mlq::tune {
namespace {

const std::string kData = MLQ_SOURCE_DIR "/data";

TEST(RrlWorkload, DynamicIsThePublishedSchedule) {
  const RrlWorkload load = make_rrl_workload(0, 1, 0, kData);
  ASSERT_EQ(load.episodes.size(), 3000u);
  const auto rate = [&](size_t episode) { return load.levels[load.episodes[episode].level].rate_per_s; };
  EXPECT_NEAR(rate(0), 1 / 0.07, 1e-9);
  EXPECT_NEAR(rate(799), 1 / 0.07, 1e-9);
  EXPECT_NEAR(rate(800), 1 / 0.06, 1e-9);
  EXPECT_NEAR(rate(1299), 1 / 0.06, 1e-9);
  EXPECT_NEAR(rate(2000), 1 / 0.10, 1e-9);
  double sum = 0;
  for (size_t e = 800; e < 1300; ++e) sum += static_cast<double>(load.episodes[e].arrivals.back());
  EXPECT_NEAR(sum / 500 / 100, 60e6, 1.1e6);  // 4 standard errors of 50,000 exponential gaps
}

TEST(RrlWorkload, WikiIsAnHourASecondAtFiftyASecond) {
  const RrlWorkload load = make_rrl_workload(1, 1, 0, kData);
  EXPECT_NEAR(static_cast<double>(load.episodes.size()), 1483 * 50 / 100.0, 15);
  EXPECT_GE(load.levels.size(), 2u);
  for (const Episode& episode : load.episodes) {
    ASSERT_EQ(episode.arrivals.size(), kEpisodeRequests);
    ASSERT_TRUE(std::is_sorted(episode.arrivals.begin(), episode.arrivals.end()));
  }
}

TEST(RrlReference, TheLimitIsOneAndAHalfTimesTheBestConfigurationsTail) {
  const RrlReference reference = make_rrl_reference(0, 60, kData);
  for (const double limit : reference.limit_ns) {
    EXPECT_GT(limit, 1.5 * 30e6);  // above its mean latency
    EXPECT_LT(limit, 1.5 * 200e6);
  }
}

RrlPaperOptions slice() {
  RrlPaperOptions options;
  options.seeds = 3;
  options.episodes = 120;
  options.data_dir = kData;
  options.tuners = parse_contestants("rrl-region,random,capes-like/rate=0.001");
  return options;
}

const RrlPaper& small() {
  static const RrlPaper paper = run_rrl_paper(slice(), StopFlag(), {});
  return paper;
}

TEST(RrlPaper, IsTheSameOnEveryNumberOfThreads) {
  RrlPaperOptions options = slice();
  options.threads = 3;
  const RrlPaper other = run_rrl_paper(options, StopFlag(), {});
  ASSERT_EQ(small().results.size(), 5u * 3 * 3);
  ASSERT_EQ(other.results.size(), small().results.size());
  for (size_t k = 0; k < other.results.size(); ++k) {
    EXPECT_EQ(other.results[k].mean_latency_ns, small().results[k].mean_latency_ns);
    EXPECT_EQ(other.results[k].over_slo_share, small().results[k].over_slo_share);
  }
}

// Runs that are known are taken as they are, of every other episode count none is.
TEST(RrlPaper, GoesOnFromWhatIsKnown) {
  RrlPaperOptions options = slice();
  options.known = paper_records(small()).scores;
  const RrlPaper whole = run_rrl_paper(options, StopFlag(), {});
  options.known.front().latency_mean_ns = 1;
  uint64_t made = 0;
  options.seeds = 4;
  const auto count = [&made](uint64_t, uint64_t) { ++made; };
  const RrlPaper more = run_rrl_paper(options, StopFlag(), count);
  EXPECT_EQ(made, 5u * 3);  // the fourth seed
  EXPECT_EQ(more.results.front().mean_latency_ns, 1);
  const auto as_text = [](const PaperResult& r) {
    return fmt::format("{} {} {} {}", r.mean_latency_ns, r.last_half_latency_ns, r.over_slo_share,
                       r.cpu_ns_per_request);
  };
  ASSERT_EQ(whole.results.size(), small().results.size());
  for (size_t k = 0; k < whole.results.size(); ++k)
    EXPECT_EQ(as_text(whole.results[k]), as_text(small().results[k]));
}

TEST(RrlPaper, WhatIsKnownOfOtherEpisodesIsNotTaken) {
  RrlPaperOptions options = slice();
  options.seeds = 1;
  options.episodes = 20;
  options.known = paper_records(small()).scores;
  uint64_t made = 0;
  run_rrl_paper(options, StopFlag(), [&made](uint64_t, uint64_t) { ++made; });
  EXPECT_EQ(made, 5u * 3);
}

// Those who know beforehand are better than those who learn, and luck is worst.
TEST(RrlPaper, ARegionLearnsAndTheBestConfigurationBoundsIt) {
  const PaperRecords records = paper_records(small());
  const auto latency = [&](const std::string& tuner) {
    for (const auto& score : records.scores)
      if (score.tuner == tuner && score.seeds && score.surface == "rrl-dynamic" &&
          score.objective == "latency")
        return score.latency_mean_ns;
    return 0.0;
  };
  EXPECT_LT(latency("best-static"), latency("rrl-region"));
  EXPECT_LT(latency("rrl-region"), latency("random"));
}

TEST(RrlPaper, ClaimsNothingAgainstARivalThatDidNotLearn) {
  const PaperRecords records = paper_records(small());
  ASSERT_FALSE(records.ratios.empty());
  for (const auto& ratio : records.ratios) {
    EXPECT_LE(ratio.reduction_lo, ratio.reduction);
    EXPECT_LE(ratio.reduction, ratio.reduction_hi);
    if (!ratio.rival_learned) EXPECT_FALSE(ratio.reached);
    if (ratio.reached) EXPECT_GE(ratio.reduction_hi, ratio.published.value());
  }
}

}  // namespace
}  // namespace mlq::tune
