// The summary of a run: what its accounts say, and whether the run can be trusted. Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/replay/accounts.h"

namespace mlq::replay {

// What is known of a run beside its requests. Of several sending threads: sums of inflight_ns and cpu_ns, and
// whatever went wrong in one of them.
struct RunFacts {
  int64_t from_ns = 0;  // start of what is accounted for: 0, or the end of the warm-up
  int64_t to_ns = 0;    // end of the trace, the same for all shards of it; of an interrupted run, when it was
  int64_t drain_ns = 0;                  // from to_ns until the last answer; 0 if that came earlier
  std::optional<int64_t> inflight_ns;    // requests in flight, integrated over the run
  std::optional<uint64_t> inflight_max;  // largest number of them, of a single sending thread
  std::optional<int64_t> cpu_ns;         // of the whole process
  std::optional<double> lag_drift_ns_per_min;
  std::optional<int64_t> warmup_ns;   // requests due before it are not in the accounts
  std::optional<int64_t> max_lag_ns;  // what the 99th percentile of the lag may be

  // What spoils a run (section "verdict" of the summary): each is one word of `why`.
  bool shard_cpu = false;        // a sending thread used over 80 % of a core
  bool cap_hit = false;          // requests waited for the cap on those in flight
  bool fd_limit = false;         // no file descriptors were left
  bool ports = false;            // no local ports were left
  bool starved = false;          // due times passed while the trace was not there yet (trace_starved)
  bool records_dropped = false;  // result records were lost
  bool rt_throttled = false;     // the kernel stopped a real-time thread
  bool truncated = false;        // the trace was cut
  bool clock_error = false;      // the start was not common enough
  bool missing_shards = false;   // shards are not in
  bool lag = false;              // lag_p99 of a shard, where max_lag_ns is not known any more
};

// The words of `why`, in the order of mlq-records(5): the facts above, and of the account lag_p99 (the 99th
// percentile of the lag is above max_lag_ns), dropped (of the cap), and censored (given up at the end: more
// than 1 % of planned).
std::vector<std::string_view> doubts(const Account& account, const RunFacts& facts);

// The summary of one class. inflight, little_ratio and CPU are of the whole run: "*" alone has them.
records::Summary summarise(std::string_view klass, const Account& account, const RunFacts& facts,
                           std::span<const stats::SloTerm> slo);
// "*", then the classes by name.
std::vector<records::Summary> summarise(const Accounts& accounts, const RunFacts& facts,
                                        std::span<const stats::SloTerm> slo);

// The facts that a summary tells: the way back from a record. Rounding of cpu_ns is undone (exact below 2^51
// ns).
RunFacts facts_of(const records::Summary& summary);

// Rows (name, value) for people, without the distributions and the note; missing values are left out.
std::vector<std::pair<std::string, std::string>> summary_rows(const records::Summary& summary);
// The distributions that the summary has, a row each: name, mean, p50, p90, p95, p99, p99.9, max. A p99 among
// the unanswered is its bound, as in "> 55.2 ms"; other values that are not known are `missing`.
std::vector<std::vector<std::string>> metric_rows(const records::Summary& summary, std::string_view missing);

// `1.23 ms`: three digits are enough to look at.
std::string time_text(double ns);

}  // namespace mlq::replay
