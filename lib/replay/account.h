// The accounts of a run: counts, histograms and what follows from them, by class and as a whole. Everything
// adds: accounts of shards merge to the very accounts of one process.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/records/load.h"
#include "lib/records/writer.h"
#include "lib/replay/outcome.h"
#include "lib/stats/histogram.h"
#include "lib/stats/slo.h"

namespace mlq::replay {

// What is measured; the order of the fields in the records.
enum class Metric : uint8_t { latency, service, lag, queue, ttft, tpot, itl };
constexpr size_t kMetrics = 7;
std::string_view metric_name(Metric metric);

// Whether a request is good: outcome ok, its own deadline_ns kept, and every per-request term of the SLO. A
// metric that a good answer lacks (ttft of an answer without tokens) misses its term.
bool is_good(const records::Result& result, std::span<const stats::SloTerm> slo);

// The account of one class over one span of requests. A value type; not thread-safe. Memory: 42 kB a metric
// that occurred.
class Account {
 public:
  // Counts one request. `gaps` are its gaps between tokens; result.slo_ok says whether it is good.
  void add(const records::Result& result, std::span<const uint64_t> gaps);
  void merge(const Account& other);

  uint64_t planned() const;  // all outcomes together
  uint64_t count(Outcome outcome) const { return outcomes_[static_cast<size_t>(outcome)]; }
  uint64_t sent() const { return sent_; }
  uint64_t good() const { return good_; }
  // Requests whose latency is beyond every value: never sent, so no bound is known.
  uint64_t beyond() const;
  // Values of a metric; null if there is none. Of latency and ttft the answered; `censored` has the bounds of
  // the unanswered.
  const stats::Histogram* events(Metric metric) const;
  const stats::Histogram* censored(Metric metric) const;

  // Counts, rates, distributions and intervals over [from_ns, to_ns), into `out`. `aggregate` are the terms
  // of the SLO that are not of each request; they give slo_pass (absent if there are none).
  void describe(int64_t from_ns, int64_t to_ns, int64_t drain_ns, std::span<const stats::SloTerm> slo,
                records::LoadStats& out) const;

 private:

};

}  // namespace mlq::replay
