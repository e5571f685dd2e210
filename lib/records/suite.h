// How tuners do in published evaluations that are run anew.
#pragma once

#include "lib/records/schema.h"

namespace mlq::records {

struct SuiteScore {
  std::string suite;
  std::string tuner;
  std::string surface;
  std::string objective;
  std::optional<uint64_t> seed;
  std::optional<uint64_t> seeds;
  std::optional<uint64_t> episodes;
  double latency_mean_ns = 0;
  std::optional<double> latency_mean_lo_ns, latency_mean_hi_ns;
  double last_half_mean_ns = 0;
  double over_slo_share = 0;
  std::optional<double> over_slo_share_lo, over_slo_share_hi;
  double cpu_ns_per_request = 0;
  std::optional<double> cpu_lo_ns, cpu_hi_ns;
  std::optional<bool> learned;
};

struct SuiteRatio {
  std::string suite;
  std::string tuner;
  std::string against;
  std::string surface;
  std::string measure;
  uint64_t seeds = 0;
  double reduction = 0;
  double reduction_lo = 0;
  double reduction_hi = 0;
  std::optional<double> published;
  bool reached = false;
  bool rival_learned = false;
};

template <>
struct Schema<SuiteScore> {
  static constexpr std::string_view type = "suite_score";
  static constexpr std::string_view summary =
      "How a tuner did in a published evaluation that is run anew: with one seed, or over all of them.";
  static constexpr auto fields = std::tuple{
      field<"suite", &SuiteScore::suite>("", "Which evaluation."),
      field<"tuner", &SuiteScore::tuner>("", "Tuner; start and best-static change nothing."),
      field<"surface", &SuiteScore::surface>("", "Load."),
      field<"objective", &SuiteScore::objective>("", "What was made small: latency or min-resource."),
      field<"seed", &SuiteScore::seed>("", "Seed of the run; none over several."),
      field<"seeds", &SuiteScore::seeds>("", "Number of seeds that it is over."),
      field<"episodes", &SuiteScore::episodes>("", "Of each load at most so many; none: all."),
      field<"latency_mean_ns", &SuiteScore::latency_mean_ns>(
          "ns", "Mean latency of all requests, those of the learning included."),
      field<"latency_mean_lo_ns", &SuiteScore::latency_mean_lo_ns>(
          "ns", "Lower end of the 95 % interval of it (bootstrap)."),
      field<"latency_mean_hi_ns", &SuiteScore::latency_mean_hi_ns>("ns", "Upper end of it."),
      field<"last_half_mean_ns", &SuiteScore::last_half_mean_ns>(
          "ns", "Mean latency in the last half of the episodes."),
      field<"over_slo_share", &SuiteScore::over_slo_share>("", "Share of the requests over the SLO."),
      field<"over_slo_share_lo", &SuiteScore::over_slo_share_lo>(
          "", "Lower end of the 95 % interval of it (bootstrap)."),
      field<"over_slo_share_hi", &SuiteScore::over_slo_share_hi>("", "Upper end of it."),
      field<"cpu_ns_per_request", &SuiteScore::cpu_ns_per_request>("ns", "CPU time a request."),
      field<"cpu_lo_ns", &SuiteScore::cpu_lo_ns>("ns", "Lower end of the 95 % interval of it (bootstrap)."),
      field<"cpu_hi_ns", &SuiteScore::cpu_hi_ns>("ns", "Upper end of it."),
      field<"learned", &SuiteScore::learned>(
          "", "Whether it did better, in what was made small, than the start configuration left alone."),
  };
};

template <>
struct Schema<SuiteRatio> {
  static constexpr std::string_view type = "suite_ratio";
  static constexpr std::string_view summary =
      "A tuner against a rival in such an evaluation, beside what was published.";
  static constexpr auto fields = std::tuple{
      field<"suite", &SuiteRatio::suite>("", "Which evaluation."),
      field<"tuner", &SuiteRatio::tuner>("", "Tuner."),
      field<"against", &SuiteRatio::against>("", "The rival, with the setting that was best for it."),
      field<"surface", &SuiteRatio::surface>("", "Load."),
      field<"measure", &SuiteRatio::measure>("", "latency, last_half, over_slo or cpu."),
      field<"seeds", &SuiteRatio::seeds>("", "Number of seeds, in pairs."),
      field<"reduction", &SuiteRatio::reduction>("", "1 - mean of the tuner / mean of the rival."),
      field<"reduction_lo", &SuiteRatio::reduction_lo>(
          "", "Lower end of the 95 % interval of it (paired bootstrap)."),
      field<"reduction_hi", &SuiteRatio::reduction_hi>("", "Upper end of it."),
      field<"published", &SuiteRatio::published>("", "What was published."),
      field<"reached", &SuiteRatio::reached>(
          "", "Whether the interval reaches what was published, against a rival that learned."),
      field<"rival_learned", &SuiteRatio::rival_learned>(
          "", "False: the rival did worse than the start configuration left alone; nothing is claimed."),
  };
};

}  // namespace mlq::records
