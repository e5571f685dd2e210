// The accounts of a run: counts, histograms and what follows from them, by class and as a whole. Everything
// adds: accounts of shards merge to the very accounts of one process.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "lib/records/load.h"
#include "lib/replay/distribution.h"
#include "lib/replay/outcome.h"
#include "lib/stats/histogram.h"
#include "lib/stats/slo.h"

namespace mlq::replay {

// What is measured. All but itl_max (a request's longest gap, which only an SLO asks for) are in LoadStats,
// in this order.
enum class Metric : uint8_t { latency, service, lag, queue, ttft, tpot, itl, itl_max };
constexpr size_t kMetrics = 8;
std::string_view metric_name(Metric metric);
std::optional<Metric> metric_named(std::string_view name);

// A request whose latency is beyond every value: it was given up before it was sent, so that not even a bound
// is known. A timeout before the send (connect_timeout) has a bound: the time waited.
bool is_beyond(const records::Result& result, Outcome outcome);

// Whether a request is good: outcome ok, its own deadline_ns kept, and every per-request term of the SLO. A
// metric that the answer lacks (ttft of an answer without tokens) misses its term.
bool is_good(const records::Result& result, std::span<const stats::SloTerm> slo);

// The span of time that an account is about.
struct Span {
  int64_t from_ns = 0;
  int64_t to_ns = 0;
  std::optional<int64_t> drain_ns;  // from to_ns until the last answer; rates of answers refer to both
  uint64_t unfinished = 0;          // requests that were due and have no outcome yet
};

// The account of one class over one span of requests. A value type; not thread-safe. Memory: 8 bytes a value
// at first, at most 42 kB a metric that occurred.
//
// What is in which distribution: latency and ttft of the answers with outcome ok, at a bound (the time
// waited) those that went unanswered (is_unanswered); a first token that came before its request was given up
// is a value. service of every answer, whatever its status; lag and queue of every request sent; tpot of
// outcome ok; itl of all gaps between tokens. Other errors are not latencies: they are counted, and miss the
// SLO.
class Account {
 public:
  // Counts one request. `gaps` are its gaps between tokens; result.slo_ok says whether it is good (is_good).
  // latency, service and lag that are missing are taken from the stamps. An input Error for an unknown
  // outcome and for a negative time; nothing is counted then. About 100 ns.
  void add(const records::Result& result, std::span<const uint64_t> gaps);
  // Counts gaps between tokens alone.
  void add_gaps(std::span<const uint64_t> gaps);
  void merge(const Account& other);

  uint64_t planned() const;  // all outcomes together
  uint64_t count(Outcome outcome) const { return outcomes_[static_cast<size_t>(outcome)]; }
  uint64_t sent() const { return sent_; }
  uint64_t good() const { return good_; }
  uint64_t done() const;
  uint64_t censored_count() const;  // given up at the end: outcomes censored and cancelled
  uint64_t beyond() const;          // requests that are is_beyond

  uint64_t event_count(Metric metric) const { return events_[static_cast<size_t>(metric)].count(); }
  uint64_t bound_count(Metric metric) const { return bounds_of(metric).count(); }
  // The values, and the bounds of the unanswered (of latency and ttft only); copies.
  stats::Histogram events(Metric metric) const { return events_[static_cast<size_t>(metric)].histogram(); }
  stats::Histogram censored(Metric metric) const { return bounds_of(metric).histogram(); }

  // Counts, rates, distributions and intervals over the span, into `out`. The aggregate terms of the SLO give
  // slo_pass: absent if there are none or nothing was planned. Mean and max of latency and ttft are absent
  // when a value is unknown; `note` says so.
  void describe(const Span& span, std::span<const stats::SloTerm> slo, records::LoadStats& out) const;

  // The way back from records. add_counts takes what neither outcomes nor histograms say: sent, good, tokens
  // and bytes. add_values is an input Error for bounds of a metric that has none.
  void add_counts(const records::LoadStats& stats);
  void add_outcomes(Outcome outcome, uint64_t count);
  void add_values(Metric metric, bool censored, const stats::Histogram& values);

 private:
  const Distribution& bounds_of(Metric metric) const;
  Distribution& at(Metric metric) { return events_[static_cast<size_t>(metric)]; }

  std::array<uint64_t, kOutcomes> outcomes_{};
  uint64_t sent_ = 0;
  uint64_t good_ = 0;
  uint64_t input_tokens_ = 0;
  uint64_t output_tokens_ = 0;
  uint64_t up_bytes_ = 0;
  uint64_t down_bytes_ = 0;
  std::array<Distribution, kMetrics> events_;
  Distribution latency_bounds_;
  Distribution ttft_bounds_;
};

// Whether an aggregate term of the SLO holds for an account over a span in which something was planned.
//   pQ, mean, max: of the distribution that Account describes; one with no values fails. A quantile that lies
//     among the unanswered fails `<=` and `<`, and keeps `>=` and `>` if its known bound does; mean and max
//     are unknown, and fail, as soon as one request went unanswered.
//   attain = good / planned and error_rate = (planned - ok) / planned, compared as fractions; requests
//     without an outcome yet are planned and not ok.
//   goodput = good_per_s of the record; a span of no length fails.
bool holds(const stats::SloTerm& term, const Account& account, const Span& span);

}  // namespace mlq::replay
