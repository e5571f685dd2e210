// What is said about a trace: counts, rates, statistics, tests.
#pragma once

#include "lib/records/schema.h"

namespace mlq::records {

struct Bin {
  int64_t t_ns = 0;
  int64_t dt_ns = 0;
  double count = 0;  // counts of sampled or scaled series need not be whole
  std::optional<std::string> klass;
};

template <>
struct Schema<Bin> {
  static constexpr std::string_view type = "bin";
  static constexpr std::string_view summary = "Arrivals counted in an interval of time.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &Bin::t_ns>("ns", "Start of the interval."),
      field<"dt_ns", &Bin::dt_ns>("ns", "Length of the interval."),
      field<"count", &Bin::count>("", "Arrivals in it."),
      field<"class", &Bin::klass>("", "Kind of request; without it, all."),
  };
};

struct RatePoint {
  int64_t t_ns = 0;
  double rate_per_s = 0;
  std::optional<double> rate_end_per_s;
};

template <>
struct Schema<RatePoint> {
  static constexpr std::string_view type = "rate";
  static constexpr std::string_view summary =
      "One piece of a rate path; it lasts until the next record's t_ns.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &RatePoint::t_ns>("ns", "Start of the piece."),
      field<"rate_per_s", &RatePoint::rate_per_s>("1/s", "Rate at its start."),
      field<"rate_end_per_s", &RatePoint::rate_end_per_s>(
          "1/s",
          "Rate at its end, reached linearly; without it, the "
          "rate is constant."),
  };
};

struct TraceStat {
  std::string klass = "*";
  uint64_t count = 0;
  int64_t duration_ns = 0;
  double rate_per_s = 0;
  std::optional<double> gap_mean_ns;
  std::optional<double> gap_cv;
  std::optional<int64_t> gap_p50_ns;
  std::optional<int64_t> gap_p99_ns;
  std::optional<int64_t> gap_max_ns;
  std::optional<double> peak_ratio_1s;
  std::optional<int64_t> tick_ns;
  std::optional<int64_t> resolution_ns;
  std::optional<uint64_t> distinct_times;
  std::optional<uint64_t> inversions;
  std::optional<double> hurst;
  std::optional<double> hurst_lo;
  std::optional<double> hurst_hi;
  std::optional<int64_t> period_ns;
  std::optional<double> input_tokens_mean;
  std::optional<int64_t> input_tokens_p50;
  std::optional<int64_t> input_tokens_p99;
  std::optional<double> output_tokens_mean;
  std::optional<int64_t> output_tokens_p50;
  std::optional<int64_t> output_tokens_p99;
  std::optional<double> prefix_reuse;
  std::optional<std::string> note;
};

template <>
struct Schema<TraceStat> {
  static constexpr std::string_view type = "trace_stat";
  static constexpr std::string_view summary = "Description of a trace, or of one class of it.";
  static constexpr auto fields = std::tuple{
      field<"class", &TraceStat::klass>("", "Kind of request; * stands for all."),
      field<"count", &TraceStat::count>("", "Arrivals."),
      field<"duration_ns", &TraceStat::duration_ns>("ns", "Length of the trace."),
      field<"rate_per_s", &TraceStat::rate_per_s>("1/s", "Count divided by duration."),
      field<"gap_mean_ns", &TraceStat::gap_mean_ns>("ns", "Mean time between arrivals."),
      field<"gap_cv", &TraceStat::gap_cv>("", "Coefficient of variation of the gaps."),
      field<"gap_p50_ns", &TraceStat::gap_p50_ns>("ns", "Median gap."),
      field<"gap_p99_ns", &TraceStat::gap_p99_ns>("ns", "99th percentile of the gaps."),
      field<"gap_max_ns", &TraceStat::gap_max_ns>("ns", "Longest gap."),
      field<"peak_ratio_1s", &TraceStat::peak_ratio_1s>(
          "",
          "Most arrivals in a second (from a whole second on) over "
          "the mean."),
      field<"tick_ns", &TraceStat::tick_ns>("ns", "Greatest common divisor of the distances between times."),
      field<"resolution_ns", &TraceStat::resolution_ns>(
          "ns",
          "Step in which the clock really moved: the tick, or the "
          "period of batches."),
      field<"distinct_times", &TraceStat::distinct_times>("", "Different values of t_ns."),
      field<"inversions", &TraceStat::inversions>("", "Arrivals earlier than the one before."),
      field<"hurst", &TraceStat::hurst>(
          "", "Hurst exponent of the counts, by the Abry-Veitch wavelet estimator."),
      field<"hurst_lo", &TraceStat::hurst_lo>("", "Lower end of its 95 % interval."),
      field<"hurst_hi", &TraceStat::hurst_hi>("", "Upper end of its 95 % interval."),
      field<"period_ns", &TraceStat::period_ns>("ns", "Strongest period of the counts, if one stands out."),
      field<"input_tokens_mean", &TraceStat::input_tokens_mean>("tokens", "Mean prompt length."),
      field<"input_tokens_p50", &TraceStat::input_tokens_p50>("tokens", "Median prompt length."),
      field<"input_tokens_p99", &TraceStat::input_tokens_p99>("tokens",
                                                              "99th percentile of the prompt lengths."),
      field<"output_tokens_mean", &TraceStat::output_tokens_mean>("tokens", "Mean answer length."),
      field<"output_tokens_p50", &TraceStat::output_tokens_p50>("tokens", "Median answer length."),
      field<"output_tokens_p99", &TraceStat::output_tokens_p99>("tokens",
                                                                "99th percentile of the answer lengths."),
      field<"prefix_reuse", &TraceStat::prefix_reuse>("", "Share of prefix blocks that occurred before."),
      field<"note", &TraceStat::note>("", "Why a value is missing."),
  };
};

struct Idc {
  int64_t window_ns = 0;
  double idc = 0;
  std::optional<double> idc_lo;
  std::optional<double> idc_hi;
};

template <>
struct Schema<Idc> {
  static constexpr std::string_view type = "idc";
  static constexpr std::string_view summary =
      "Index of dispersion for counts: variance over mean of the arrivals a window; 1 for a Poisson process.";
  static constexpr auto fields = std::tuple{
      field<"window_ns", &Idc::window_ns>("ns", "Length of the windows."),
      field<"idc", &Idc::idc>("", "Variance of the counts over their mean."),
      field<"idc_lo", &Idc::idc_lo>("", "Lower end of the 95 % interval for independent counts."),
      field<"idc_hi", &Idc::idc_hi>("", "Upper end of it."),
  };
};

struct Acf {
  uint64_t lag = 0;
  double acf = 0;
  double bound = 0;
};

template <>
struct Schema<Acf> {
  static constexpr std::string_view type = "acf";
  static constexpr std::string_view summary = "Autocorrelation of the gaps.";
  static constexpr auto fields = std::tuple{
      field<"lag", &Acf::lag>("", "Distance in arrivals."),
      field<"acf", &Acf::acf>("", "Autocorrelation."),
      field<"bound", &Acf::bound>("", "95 % of independent series stay within plus and minus this."),
  };
};

struct Qq {
  double p = 0;
  int64_t expected_ns = 0;
  int64_t observed_ns = 0;
};

template <>
struct Schema<Qq> {
  static constexpr std::string_view type = "qq";
  static constexpr std::string_view summary =
      "One point of a quantile plot: gaps against an exponential law of the "
      "same mean.";
  static constexpr auto fields = std::tuple{
      field<"p", &Qq::p>("", "Probability."),
      field<"expected_ns", &Qq::expected_ns>("ns", "Quantile of the exponential law."),
      field<"observed_ns", &Qq::observed_ns>("ns", "Quantile of the gaps."),
  };
};

struct Hist {
  std::string metric;
  std::string klass = "*";
  std::optional<std::string> kind;
  std::optional<uint32_t> window;
  std::string unit;
  uint32_t sub_bits = 7;
  uint64_t count = 0;
  std::string sum;
  std::optional<int64_t> min;
  std::optional<int64_t> max;
  std::optional<uint64_t> clamped;
  std::string bins;
};

template <>
struct Schema<Hist> {
  static constexpr std::string_view type = "hist";
  static constexpr std::string_view summary =
      "A log-linear histogram; histograms of one metric add up bin by bin.";
  static constexpr auto fields = std::tuple{
      field<"metric", &Hist::metric>("", "What is counted."),
      field<"class", &Hist::klass>("", "Kind of request; * stands for all."),
      field<"kind", &Hist::kind>("", "event, or censored (the value is a lower bound)."),
      field<"window", &Hist::window>("", "Which window of the run; without it, the whole."),
      field<"unit", &Hist::unit>("", "Unit of the values."),
      field<"sub_bits", &Hist::sub_bits>("", "An octave has 2 to this power bins."),
      field<"count", &Hist::count>("", "Values counted."),
      field<"sum", &Hist::sum>("", "Their sum, as decimal text, since it may pass 2^63."),
      field<"min", &Hist::min>("", "Smallest value."),
      field<"max", &Hist::max>("", "Largest value."),
      field<"clamped", &Hist::clamped>("", "Values beyond the last bin, counted in it."),
      field<"bins", &Hist::bins>("", "Bins that are not empty, as index:count pairs between spaces."),
  };
};

struct Test {
  std::string name;
  std::optional<double> statistic;
  std::optional<double> p_value;
  std::optional<double> df;
  uint64_t n = 0;
  std::optional<double> limit;
  std::string verdict;
  std::optional<std::string> note;
};

template <>
struct Schema<Test> {
  static constexpr std::string_view type = "test";
  static constexpr std::string_view summary = "Outcome of one statistical test.";
  static constexpr auto fields = std::tuple{
      field<"name", &Test::name>("", "Which test."),
      field<"statistic", &Test::statistic>("", "Its statistic."),
      field<"p_value", &Test::p_value>(
          "", "Probability of a statistic at least as extreme if the claim is true."),
      field<"df", &Test::df>("", "Degrees of freedom."),
      field<"n", &Test::n>("", "Size of the sample."),
      field<"limit", &Test::limit>("", "The p-value below which the test fails, after Holm's correction."),
      field<"verdict", &Test::verdict>("", "pass, fail or skip."),
      field<"note", &Test::note>("", "Why it was skipped, or what it looked at."),
  };
};

struct Verdict {
  bool pass = false;
  double alpha = 0;
  uint64_t tests = 0;
  std::optional<std::string> failed;
  std::optional<std::string> note;
};

template <>
struct Schema<Verdict> {
  static constexpr std::string_view type = "verdict";
  static constexpr std::string_view summary = "The verdict over all tests.";
  static constexpr auto fields = std::tuple{
      field<"pass", &Verdict::pass>("", "True if no test failed and at least one was made."),
      field<"alpha", &Verdict::alpha>("", "Probability that a trace that keeps the claim fails."),
      field<"tests", &Verdict::tests>("", "Tests that were made, without the skipped."),
      field<"failed", &Verdict::failed>("", "Names of those that failed, between commas."),
      field<"note", &Verdict::note>("", "What was checked against."),
  };
};

struct Expected {
  std::string spec;
  double rate_per_s = 0;
  std::optional<double> cv;
  std::optional<double> idc_limit;
  uint32_t algo = 1;
  std::optional<std::string> formula;
  std::optional<std::string> note;
};

template <>
struct Schema<Expected> {
  static constexpr std::string_view type = "expected";
  static constexpr std::string_view summary = "What theory says of a process; nothing was generated.";
  static constexpr auto fields = std::tuple{
      field<"spec", &Expected::spec>("", "The process."),
      field<"rate_per_s", &Expected::rate_per_s>("1/s", "Mean rate of arrivals."),
      field<"cv", &Expected::cv>("", "Coefficient of variation of the gaps."),
      field<"idc_limit", &Expected::idc_limit>("", "Index of dispersion for counts in long windows."),
      field<"algo", &Expected::algo>("", "Version of the sampling algorithms."),
      field<"formula", &Expected::formula>("", "How arrivals are made, as a formula."),
      field<"note", &Expected::note>("", "Why a value is missing, and warnings."),
  };
};

}  // namespace mlq::records
