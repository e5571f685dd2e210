#include "lib/replay/account.h"

#include <algorithm>
#include <numeric>

#include "lib/base/error.h"

namespace mlq::replay {
namespace {

constexpr std::array<std::string_view, kMetrics> kNames = {"latency", "service", "lag", "queue",
                                                           "ttft",    "tpot",    "itl", "itl_max"};

using Time = std::optional<int64_t>;

Time difference(const Time& stated, const Time& to, const Time& from) {
  if (stated || !to || !from) return stated;
  int64_t length = 0;
  return __builtin_sub_overflow(*to, *from, &length) ? -1 : length;
}

// The times of one request, stated or from its stamps.
struct Times {
  explicit Times(const records::Result& r)
      : latency(difference(r.latency_ns, r.last_ns, r.due_ns)),
        service(difference(r.service_ns, r.last_ns, r.send_ns)),
        lag(difference(r.lag_ns, r.send_ns, r.due_ns)),
        ttft(difference(r.ttft_ns, r.tok1_ns, r.due_ns)),
        queue(r.queue_ns),
        tpot(r.tpot_ns),
        itl_max(r.itl_max_ns) {}
  Time latency, service, lag, ttft, queue, tpot, itl_max;

  void refuse_negative(uint64_t i) const {
    const std::pair<const Time*, const char*> all[] = {
        {&latency, "latency_ns"}, {&service, "service_ns"}, {&lag, "lag_ns"},         {&ttft, "ttft_ns"},
        {&queue, "queue_ns"},     {&tpot, "tpot_ns"},       {&itl_max, "itl_max_ns"},
    };
    for (const auto& [time, name] : all) {
      if (*time && **time < 0)
        throw input_error("result {}: {} is {}; it cannot be negative", i, name, **time);
    }
  }
};

void record(Distribution& into, const Time& time) {
  if (time) into.record(*time);
}

bool keeps(int64_t value, const stats::SloTerm& term) {
  switch (term.op) {
    case stats::SloOp::le:
      return value <= term.limit_ns;
    case stats::SloOp::ge:
      return value >= term.limit_ns;
    case stats::SloOp::lt:
      return value < term.limit_ns;
    case stats::SloOp::gt:
      return value > term.limit_ns;
  }
  return false;
}

Time value_of(const Times& times, stats::SloMetric metric) {
  switch (metric) {
    case stats::SloMetric::latency:
      return times.latency;
    case stats::SloMetric::service:
      return times.service;
    case stats::SloMetric::ttft:
      return times.ttft;
    case stats::SloMetric::tpot:
      return times.tpot;
    case stats::SloMetric::itl_max:
      return times.itl_max;
  }
  return std::nullopt;
}

}  // namespace

std::string_view metric_name(Metric metric) { return kNames[static_cast<size_t>(metric)]; }

std::optional<Metric> metric_named(std::string_view name) {
  const auto at = std::find(kNames.begin(), kNames.end(), name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Metric>(at - kNames.begin());
}

bool is_beyond(const records::Result& result, Outcome outcome) {
  switch (outcome) {
    case Outcome::dropped_cap:
      return true;
    case Outcome::cancelled:
    case Outcome::censored:
      if (!result.send_ns) return true;
      [[fallthrough]];
    default:
      return is_unanswered(outcome) && !result.latency_ns && !result.last_ns;
  }
}

bool is_good(const records::Result& result, std::span<const stats::SloTerm> slo) {
  if (result.outcome != outcome_name(Outcome::ok)) return false;
  const Times times(result);
  if (result.deadline_ns && !(times.latency && *times.latency <= *result.deadline_ns)) return false;
  return std::all_of(slo.begin(), slo.end(), [&](const stats::SloTerm& term) {
    if (term.kind != stats::SloKind::request) return true;
    const Time value = value_of(times, term.metric);
    return value && keeps(*value, term);
  });
}

void Account::add(const records::Result& result, std::span<const uint64_t> gaps) {
  const std::optional<Outcome> outcome = outcome_named(result.outcome);
  if (!outcome) throw input_error("result {}: unknown outcome \"{}\"", result.i, result.outcome);
  const Times times(result);
  times.refuse_negative(result.i);
  if (result.due_ns < 0)
    throw input_error("result {}: due_ns is {}; it cannot be negative", result.i, result.due_ns);

  add_outcomes(*outcome, 1);
  good_ += result.slo_ok.value_or(false) ? 1 : 0;
  input_tokens_ += result.input_tokens.value_or(0);
  output_tokens_ += result.output_tokens.value_or(0);
  up_bytes_ += result.up_bytes.value_or(0);
  down_bytes_ += result.down_bytes.value_or(0);
  if (result.send_ns) {
    ++sent_;
    record(at(Metric::lag), times.lag);
    at(Metric::queue).record(times.queue.value_or(0));
  }
  if (is_answered(*outcome)) record(at(Metric::service), times.service);
  if (*outcome == Outcome::ok) {
    record(at(Metric::latency), times.latency);
    record(at(Metric::ttft), times.ttft);
    record(at(Metric::tpot), times.tpot);
  } else if (is_unanswered(*outcome) && !is_beyond(result, *outcome)) {
    record(latency_bounds_, times.latency);
    record(times.ttft ? at(Metric::ttft) : ttft_bounds_, times.ttft ? times.ttft : times.latency);
  }
  record(at(Metric::itl_max), times.itl_max);
  add_gaps(gaps);
}

void Account::add_gaps(std::span<const uint64_t> gaps) {
  for (const uint64_t gap : gaps)
    at(Metric::itl).record(static_cast<int64_t>(std::min<uint64_t>(gap, INT64_MAX)));
}

void Account::merge(const Account& other) {
  for (size_t k = 0; k < kOutcomes; ++k) outcomes_[k] += other.outcomes_[k];
  sent_ += other.sent_;
  good_ += other.good_;
  input_tokens_ += other.input_tokens_;
  output_tokens_ += other.output_tokens_;
  up_bytes_ += other.up_bytes_;
  down_bytes_ += other.down_bytes_;
  for (size_t k = 0; k < kMetrics; ++k) events_[k].merge(other.events_[k]);
  latency_bounds_.merge(other.latency_bounds_);
  ttft_bounds_.merge(other.ttft_bounds_);
}

uint64_t Account::planned() const { return std::accumulate(outcomes_.begin(), outcomes_.end(), uint64_t{0}); }

uint64_t Account::done() const {
  uint64_t n = 0;
  for (size_t k = 0; k < kOutcomes; ++k) n += is_answered(static_cast<Outcome>(k)) ? outcomes_[k] : 0;
  return n;
}

uint64_t Account::censored_count() const { return count(Outcome::censored) + count(Outcome::cancelled); }

// Every unanswered request has a bound or is beyond.
uint64_t Account::beyond() const {
  uint64_t n = 0;
  for (size_t k = 0; k < kOutcomes; ++k) n += is_unanswered(static_cast<Outcome>(k)) ? outcomes_[k] : 0;
  return n - std::min(n, latency_bounds_.count());
}

const Distribution& Account::bounds_of(Metric metric) const {
  static const Distribution none;
  if (metric == Metric::latency) return latency_bounds_;
  return metric == Metric::ttft ? ttft_bounds_ : none;
}

void Account::add_counts(const records::LoadStats& stats) {
  sent_ += stats.sent;
  good_ += stats.good;
  input_tokens_ += stats.input_tokens;
  output_tokens_ += stats.output_tokens;
  up_bytes_ += stats.up_bytes;
  down_bytes_ += stats.down_bytes;
}

void Account::add_outcomes(Outcome outcome, uint64_t count) {
  outcomes_[static_cast<size_t>(outcome)] += count;
}

void Account::add_values(Metric metric, bool censored, const stats::Histogram& values) {
  if (!censored) return at(metric).merge(values);
  if (metric != Metric::latency && metric != Metric::ttft) {
    throw input_error("hist: {} cannot be censored", metric_name(metric));
  }
  (metric == Metric::latency ? latency_bounds_ : ttft_bounds_).merge(values);
}

}  // namespace mlq::replay
