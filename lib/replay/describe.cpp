// From an account to the fields of load_window and summary.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lib/replay/account.h"
#include "lib/stats/censored.h"
#include "lib/stats/quantile.h"

namespace mlq::replay {
namespace {

constexpr Ratio kMedian{1, 2}, kP90{9, 10}, kP95{19, 20}, kP99{99, 100}, kP999{999, 1000};

std::optional<double> per_s(uint64_t count, int64_t length_ns) {
  if (length_ns <= 0) return std::nullopt;
  return static_cast<double>(count) * 1e9 / static_cast<double>(length_ns);
}

void describe_rates(const Span& span, records::LoadStats& out) {
  const int64_t length = span.to_ns - span.from_ns;
  const int64_t whole = length + span.drain_ns.value_or(0);
  out.offered_per_s = per_s(out.planned, length);
  out.sent_per_s = per_s(out.sent, length);
  out.done_per_s = per_s(out.done, whole);
  out.good_per_s = per_s(out.good, whole);
  if (out.input_tokens > 0) out.input_tokens_per_s = per_s(out.input_tokens, whole);
  if (out.output_tokens > 0) out.output_tokens_per_s = per_s(out.output_tokens, whole);
  out.up_bytes_per_s = per_s(out.up_bytes, whole);
  out.down_bytes_per_s = per_s(out.down_bytes, whole);
}

void describe_attainment(records::LoadStats& out) {
  if (out.planned == 0) return;
  const stats::Interval interval = stats::wilson_interval(out.good, out.planned);
  out.attain = static_cast<double>(out.good) / static_cast<double>(out.planned);
  out.attain_lo = interval.lo;
  out.attain_hi = interval.hi;
}

void describe_known(const stats::Histogram& values, records::MetricStats& out) {
  out.mean = values.mean();
  out.p50 = values.quantile(kMedian);
  out.p90 = values.quantile(kP90);
  out.p95 = values.quantile(kP95);
  out.p99 = values.quantile(kP99);
  out.p999 = values.quantile(kP999);
  out.max = values.max();
}

// What cannot be known of a metric, in words; empty if all can be.
std::string missing_text(Metric metric, const stats::CensoredSample& sample,
                         const records::MetricStats& stats) {
  if (sample.unknown() == 0) return "";
  std::string names = "mean and max";
  const std::pair<const std::optional<int64_t>*, const char*> quantiles[] = {{&stats.p50, "p50"},
                                                                             {&stats.p90, "p90"},
                                                                             {&stats.p95, "p95"},
                                                                             {&stats.p99, "p99"},
                                                                             {&stats.p999, "p99.9"}};
  for (const auto& [value, name] : quantiles) {
    if (!*value) names = fmt::format("mean, max and the quantiles from {} on", name);
    if (!*value) break;
  }
  return fmt::format("{}: {} of {} requests went unanswered, so {} are unknown", metric_name(metric),
                     sample.unknown(), sample.count(), names);
}

// A metric of which values may be unknown. Returns what is to be noted.
std::string describe_censored(Metric metric, const stats::CensoredSample& sample,
                              const stats::Histogram& events, records::MetricStats& out) {
  out.p50 = sample.quantile(kMedian);
  out.p90 = sample.quantile(kP90);
  out.p95 = sample.quantile(kP95);
  out.p99 = sample.quantile(kP99);
  out.p999 = sample.quantile(kP999);
  if (sample.unknown() == 0) {
    out.mean = events.mean();
    out.max = events.max();
  }
  const auto median = sample.interval(kMedian);
  const auto p99 = sample.interval(kP99);
  out.p50_lo = median.lo;
  out.p50_hi = median.hi;
  out.p99_lo = out.p99 ? p99.lo : sample.bound();
  out.p99_hi = p99.hi;
  return missing_text(metric, sample, out);
}

bool compare(double value, stats::SloOp op, double limit) {
  switch (op) {
    case stats::SloOp::le:
      return value <= limit;
    case stats::SloOp::ge:
      return value >= limit;
    case stats::SloOp::lt:
      return value < limit;
    case stats::SloOp::gt:
      return value > limit;
  }
  return false;
}

// count / of against the limit, in integers.
bool share_holds(uint64_t count, uint64_t of, const stats::SloTerm& term) {
  __extension__ using Wide = unsigned __int128;
  const Wide left = Wide{count} * term.limit_share.den;
  const Wide right = Wide{term.limit_share.num} * of;
  switch (term.op) {
    case stats::SloOp::le:
      return left <= right;
    case stats::SloOp::ge:
      return left >= right;
    case stats::SloOp::lt:
      return left < right;
    case stats::SloOp::gt:
      return left > right;
  }
  return false;
}

Metric metric_of(stats::SloMetric metric) {
  switch (metric) {
    case stats::SloMetric::latency:
      return Metric::latency;
    case stats::SloMetric::service:
      return Metric::service;
    case stats::SloMetric::ttft:
      return Metric::ttft;
    case stats::SloMetric::tpot:
      return Metric::tpot;
    case stats::SloMetric::itl_max:
      return Metric::itl_max;
  }
  return Metric::latency;
}

bool may_be_censored(Metric metric) { return metric == Metric::latency || metric == Metric::ttft; }

bool distribution_holds(const stats::SloTerm& term, const Account& account, const Span& span) {
  const Metric metric = metric_of(term.metric);
  const stats::Histogram events = account.events(metric);
  const stats::Histogram bounds = account.censored(metric);
  const stats::CensoredSample sample(events, bounds,
                                     may_be_censored(metric) ? account.beyond() + span.unfinished : 0);
  if (events.count() == 0) return false;
  const bool upper = term.op == stats::SloOp::le || term.op == stats::SloOp::lt;
  std::optional<int64_t> value;
  if (term.kind == stats::SloKind::quantile) {
    value = sample.quantile(term.quantile);
    if (!value && !upper) value = sample.bound();
  } else if (sample.unknown() > 0) {
    return false;
  } else if (term.kind == stats::SloKind::mean) {
    return compare(*events.mean(), term.op, static_cast<double>(term.limit_ns));
  } else {
    value = events.max();
  }
  return value && compare(static_cast<double>(*value), term.op, static_cast<double>(term.limit_ns));
}

}  // namespace

bool holds(const stats::SloTerm& term, const Account& account, const Span& span) {
  const uint64_t planned = account.planned() + span.unfinished;
  switch (term.kind) {
    case stats::SloKind::attain:
      return share_holds(account.good(), planned, term);
    case stats::SloKind::error_rate:
      return share_holds(planned - account.count(Outcome::ok), planned, term);
    case stats::SloKind::goodput: {
      const auto rate = per_s(account.good(), span.to_ns - span.from_ns + span.drain_ns.value_or(0));
      return rate && compare(*rate, term.op, term.limit_rate.per_s());
    }
    default:
      return distribution_holds(term, account, span);
  }
}

void Account::describe(const Span& span, std::span<const stats::SloTerm> slo, records::LoadStats& out) const {
  out.from_ns = span.from_ns;
  out.to_ns = span.to_ns;
  out.drain_ns = span.drain_ns;
  out.planned = planned() + span.unfinished;
  out.sent = sent_;
  out.done = done();
  out.ok = count(Outcome::ok);
  out.good = good_;
  out.dropped = count(Outcome::dropped_cap);
  out.censored = censored_count();
  if (span.unfinished > 0) out.unfinished = span.unfinished;
  out.input_tokens = input_tokens_;
  out.output_tokens = output_tokens_;
  out.up_bytes = up_bytes_;
  out.down_bytes = down_bytes_;
  describe_rates(span, out);
  describe_attainment(out);

  std::vector<std::string> notes;
  const auto censorable = [&](Metric metric, records::MetricStats& stats) {
    const stats::Histogram values = events(metric);
    const stats::Histogram bounds = censored(metric);
    const stats::CensoredSample sample(values, bounds, beyond() + span.unfinished);
    notes.push_back(describe_censored(metric, sample, values, stats));
  };
  censorable(Metric::latency, out.latency);
  // Without any token there is no time to a first one to speak of: the endpoint does not stream.
  if (event_count(Metric::ttft) > 0) censorable(Metric::ttft, out.ttft);
  describe_known(events(Metric::service), out.service);
  describe_known(events(Metric::lag), out.lag);
  describe_known(events(Metric::queue), out.queue);
  describe_known(events(Metric::tpot), out.tpot);
  describe_known(events(Metric::itl), out.itl);

  std::string note;
  for (const std::string& text : notes) {
    if (!text.empty()) note += (note.empty() ? "" : "; ") + text;
  }
  if (!note.empty()) out.note = note;
  const auto aggregate = [](const stats::SloTerm& term) { return !term.per_request(); };
  if (out.planned > 0 && std::any_of(slo.begin(), slo.end(), aggregate)) {
    out.slo_pass = std::all_of(slo.begin(), slo.end(), [&](const stats::SloTerm& term) {
      return term.per_request() || holds(term, *this, span);
    });
  }
}

}  // namespace mlq::replay
