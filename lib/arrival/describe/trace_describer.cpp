#include "lib/arrival/describe/trace_describer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/arrival/describe/period.h"
#include "lib/base/fmath.h"
#include "lib/stats/hurst.h"

namespace mlq::arrival {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kSecond = 1'000'000'000;
constexpr size_t kMostClasses = 1000;  // 42 to 126 kB each
constexpr uint64_t kFewestWindows = 30;

std::optional<double> unless_nan(double value) {
  return std::isnan(value) ? std::nullopt : std::optional(value);
}

int64_t rounded_ns(double ns) {
  return ns >= 0x1p63 ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(std::floor(ns + 0.5));
}

void count_tokens(std::unique_ptr<stats::Histogram>& histogram, const std::optional<uint32_t>& tokens) {
  if (!tokens) return;
  if (!histogram) histogram = std::make_unique<stats::Histogram>();
  histogram->record(*tokens);
}

records::Hist hist_record(std::string metric, std::string unit, const stats::Histogram& histogram) {
  const stats::HistogramFields fields = histogram.fields();
  records::Hist hist;
  hist.metric = std::move(metric);
  hist.unit = std::move(unit);
  hist.sub_bits = stats::Histogram::kSubBits;
  hist.count = fields.count;
  hist.sum = fields.sum;
  hist.min = fields.min;
  hist.max = fields.max;
  if (fields.clamped > 0) hist.clamped = fields.clamped;
  hist.bins = fields.bins;
  return hist;
}

}  // namespace

void add_note(std::optional<std::string>& note, std::string_view text) {
  if (note) {
    *note += "; ";
    *note += text;
  } else {
    note = text;
  }
}

void ClassDescriber::add(const records::Arrival& arrival) {
  if (count_ > 0) add_gap(arrival.t_ns - last_ns_);
  last_ns_ = arrival.t_ns;
  ++count_;
  const int64_t second = arrival.t_ns / kSecond;
  if (second != second_) in_second_ = 0;
  second_ = second;
  busiest_ = std::max(busiest_, ++in_second_);
  count_tokens(input_, arrival.input_tokens);
  count_tokens(output_, arrival.output_tokens);
}

void ClassDescriber::add_gap(int64_t gap_ns) {
  gaps_.record(gap_ns);
  const auto gap = static_cast<double>(gap_ns);
  const double off = gap - mean_;
  mean_ += off / static_cast<double>(gaps_.count());
  squares_ += off * (gap - mean_);
}

double ClassDescriber::gap_mean_ns() const { return gaps_.mean().value_or(kNaN); }

double ClassDescriber::gap_cv() const {
  if (gaps_.count() < 2 || gap_mean_ns() == 0) return kNaN;
  return std::sqrt(squares_ / static_cast<double>(gaps_.count())) / gap_mean_ns();
}

records::TraceStat ClassDescriber::stat(std::string klass, int64_t duration_ns) const {
  records::TraceStat stat;
  stat.klass = std::move(klass);
  stat.count = count_;
  stat.duration_ns = duration_ns;
  const double seconds = static_cast<double>(duration_ns) * 1e-9;
  stat.rate_per_s = duration_ns > 0 ? static_cast<double>(count_) / seconds : count_ == 0 ? 0 : kNaN;
  if (count_ == 0) add_note(stat.note, "no arrivals");
  if (count_ == 1) add_note(stat.note, "one arrival has no gaps");
  if (duration_ns == 0 && count_ > 0) add_note(stat.note, "a trace without length has no rate");
  stat.gap_mean_ns = unless_nan(gap_mean_ns());
  stat.gap_cv = unless_nan(gap_cv());
  stat.gap_p50_ns = gaps_.quantile({1, 2});
  stat.gap_p99_ns = gaps_.quantile({99, 100});
  stat.gap_max_ns = gaps_.max();
  if (count_ > 0 && duration_ns >= kSecond) {
    stat.peak_ratio_1s = static_cast<double>(busiest_) / stat.rate_per_s;
  } else if (count_ > 0 && duration_ns > 0) {
    add_note(stat.note, "peak_ratio_1s needs a second");
  }
  if (input_) {
    stat.input_tokens_mean = input_->mean();
    stat.input_tokens_p50 = input_->quantile({1, 2});
    stat.input_tokens_p99 = input_->quantile({99, 100});
  }
  if (output_) {
    stat.output_tokens_mean = output_->mean();
    stat.output_tokens_p50 = output_->quantile({1, 2});
    stat.output_tokens_p99 = output_->quantile({99, 100});
  }
  return stat;
}

void describe_series(std::span<const double> counts, int64_t window_ns, records::TraceStat& stat) {
  double sum = 0;
  for (const double count : counts) sum += count;
  if (sum == 0) return;

  // Wide enough for ten arrivals a window, so that the estimator does not measure the grain of single
  // arrivals, but never below 4,096 windows.
  const double mean = sum / static_cast<double>(counts.size());
  const auto wanted = static_cast<size_t>(std::min(1e6, std::ceil(10 / mean)));
  const size_t factor = std::clamp<size_t>(wanted, 1, std::max<size_t>(1, counts.size() / 4096));
  std::vector<double> windows = joined(counts, factor);
  if (windows.size() > 1) windows.pop_back();  // may be cut short
  const stats::HurstEstimate hurst = stats::hurst_wavelet(windows);
  if (sum < 1000 || std::isnan(hurst.h)) {
    add_note(stat.note, "too short for hurst");
  } else if (hurst.h <= 0 || hurst.h >= 1) {
    add_note(stat.note, "no hurst, as the series is not stationary or has a strong period");
  } else {
    stat.hurst = hurst.h;
    stat.hurst_lo = hurst.lo;
    stat.hurst_hi = hurst.hi;
  }

  const std::optional<double> period = strongest_period(counts);
  if (period) {
    stat.period_ns = rounded_ns(*period * static_cast<double>(window_ns));
  } else {
    add_note(stat.note, "no period stands out");
  }
}

void TraceDescriber::add(const records::Arrival& arrival) {
  all_.add(arrival);
  if (arrival.klass) {
    auto found = classes_.find(*arrival.klass);
    if (found == classes_.end() && classes_.size() < kMostClasses) {
      found = classes_.try_emplace(*arrival.klass).first;
    }
    if (found != classes_.end()) {
      found->second.add(arrival);
    } else {
      too_many_classes_ = true;
    }
  }
  resolution_.add(arrival.t_ns);
  idc_.add(arrival.t_ns);
  series_.add(arrival.t_ns);
  if (last_ns_) acf_.add(static_cast<double>(arrival.t_ns - *last_ns_));
  last_ns_ = arrival.t_ns;
  if (arrival.prefix_ids) add_blocks(*arrival.prefix_ids);
}

void TraceDescriber::add_blocks(const std::vector<uint64_t>& ids) {
  for (const uint64_t id : ids) {
    ++blocks_;
    if (seen_blocks_.size() >= most_blocks_) {
      too_many_blocks_ = true;
    } else if (!seen_blocks_.insert(id).second) {
      ++reused_blocks_;
    }
  }
}

std::vector<records::TraceStat> TraceDescriber::stats(int64_t duration_ns, uint64_t inversions) const {
  std::vector<records::TraceStat> out;
  records::TraceStat& all = out.emplace_back(all_.stat("*", duration_ns));
  all.inversions = inversions;
  if (all.count > 0) {
    const stats::Resolution found = resolution_.result();
    all.distinct_times = found.distinct_times;
    if (found.tick_ns > 0) {
      all.tick_ns = found.tick_ns;
      all.resolution_ns = found.resolution_ns;
    }
    describe_series(series_.counts(duration_ns), series_.window_ns(), all);
  }
  if (too_many_blocks_) {
    add_note(all.note, "more prefix blocks than the memory holds, so no prefix_reuse");
  } else if (blocks_ > 0) {
    all.prefix_reuse = static_cast<double>(reused_blocks_) / static_cast<double>(blocks_);
  }
  if (too_many_classes_) add_note(all.note, "only the first 1,000 classes are described");
  if (classes_.size() > 1) {
    for (const auto& [name, one] : classes_) out.push_back(one.stat(name, duration_ns));
  }
  return out;
}

std::vector<records::Idc> TraceDescriber::idc(int64_t duration_ns) const {
  std::vector<records::Idc> out;
  for (const stats::IdcPoint& point : idc_.points(duration_ns)) {
    if (point.windows < kFewestWindows || std::isnan(point.idc)) continue;
    out.push_back({point.window_ns, point.idc, unless_nan(point.lo), unless_nan(point.hi)});
  }
  return out;
}

std::vector<records::Acf> TraceDescriber::acf() const {
  std::vector<records::Acf> out;
  const std::vector<double> r = acf_.result();
  const double bound = stats::autocorrelation_bound(acf_.count());
  for (size_t lag = 1; lag < std::min<size_t>(r.size(), acf_.count()) && !std::isnan(r[0]); ++lag) {
    out.push_back({lag, r[lag], bound});
  }
  return out;
}

std::vector<records::Qq> TraceDescriber::qq() const {
  // Hundredths, and the tails as far as there are gaps in them.
  std::vector<Ratio> probabilities;
  const uint64_t n = all_.gaps().count();
  for (const uint64_t part : {100'000, 10'000, 1'000}) {
    if (n >= part) probabilities.push_back({1, part});
  }
  for (uint64_t hundredth = 1; hundredth < 100 && n > 0; ++hundredth)
    probabilities.push_back({hundredth, 100});
  for (const uint64_t part : {1'000, 10'000, 100'000}) {
    if (n >= part) probabilities.push_back({part - 1, part});
  }
  std::vector<records::Qq> out;
  for (const Ratio& p : probabilities) {
    const double expected = -all_.gap_mean_ns() * fmath::log1p(-p.value());
    out.push_back({p.value(), rounded_ns(expected), *all_.gaps().quantile(p)});
  }
  return out;
}

std::vector<records::Hist> TraceDescriber::hist() const {
  std::vector<records::Hist> out;
  if (all_.gaps().count() > 0) out.push_back(hist_record("gap_ns", "ns", all_.gaps()));
  if (all_.input_tokens()) out.push_back(hist_record("input_tokens", "tokens", *all_.input_tokens()));
  if (all_.output_tokens()) out.push_back(hist_record("output_tokens", "tokens", *all_.output_tokens()));
  return out;
}

}  // namespace mlq::arrival
