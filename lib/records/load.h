// What came of a trace that was sent: one `result` a request, windows and a summary. Names, units and texts
// of the fields are in load_schema.h, which takes seconds to compile and is needed only where such records
// are read or written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlq::records {

struct Result {
  uint64_t i = 0;
  std::optional<uint32_t> shard;
  std::optional<uint32_t> attempt;
  std::optional<std::string> klass;
  std::optional<std::string> conversation;
  std::optional<uint64_t> key;
  std::optional<uint32_t> episode;
  std::string outcome;
  std::optional<uint32_t> status;
  std::optional<int64_t> t_ns;
  int64_t due_ns = 0;
  std::optional<int64_t> send_ns;
  std::optional<int64_t> sent_ns;
  std::optional<int64_t> first_ns;
  std::optional<int64_t> tok1_ns;
  std::optional<int64_t> tok_last_ns;
  std::optional<int64_t> last_ns;
  std::optional<int64_t> lag_ns;
  std::optional<int64_t> queue_ns;
  std::optional<int64_t> connect_ns;
  std::optional<int64_t> latency_ns;
  std::optional<int64_t> service_ns;
  std::optional<int64_t> ttft_ns;
  std::optional<int64_t> ttft_send_ns;
  std::optional<int64_t> tpot_ns;
  std::optional<int64_t> norm_latency_ns;
  std::optional<int64_t> itl_p50_ns;
  std::optional<int64_t> itl_p99_ns;
  std::optional<int64_t> itl_max_ns;
  std::optional<std::vector<uint64_t>> itl_ns;
  std::optional<int64_t> retry_after_ns;
  std::optional<uint32_t> input_tokens;
  std::optional<uint32_t> output_tokens;
  std::optional<std::string> tokens_from;
  std::optional<uint32_t> events;
  std::optional<uint32_t> coalesced;
  std::optional<uint32_t> stalls;
  std::optional<uint64_t> up_bytes;
  std::optional<uint64_t> down_bytes;
  std::optional<uint32_t> conn;
  std::optional<bool> reused;
  std::optional<std::string> gen;
  std::optional<std::string> cache;
  std::optional<int64_t> deadline_ns;
  std::optional<bool> slo_ok;
  std::optional<std::string> note;
};

// The distribution of one metric, in ns. A value that cannot be known is absent.
struct MetricStats {
  std::optional<double> mean;
  std::optional<int64_t> p50, p90, p95, p99, p999, max;
  std::optional<int64_t> p50_lo, p50_hi, p99_lo, p99_hi;
};

// What windows and summaries have in common.
struct LoadStats {
  std::string klass = "*";
  std::optional<uint32_t> window;
  int64_t from_ns = 0;
  int64_t to_ns = 0;
  uint64_t planned = 0;
  uint64_t sent = 0;
  uint64_t done = 0;
  uint64_t ok = 0;
  uint64_t good = 0;
  uint64_t dropped = 0;
  uint64_t censored = 0;
  std::optional<uint64_t> unfinished;
  std::optional<int64_t> drain_ns;
  std::optional<double> offered_per_s;
  std::optional<double> sent_per_s;
  std::optional<double> done_per_s;
  std::optional<double> good_per_s;
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
  uint64_t up_bytes = 0;
  uint64_t down_bytes = 0;
  std::optional<double> input_tokens_per_s;
  std::optional<double> output_tokens_per_s;
  std::optional<double> up_bytes_per_s;
  std::optional<double> down_bytes_per_s;
  std::optional<double> attain;
  std::optional<double> attain_lo;
  std::optional<double> attain_hi;
  MetricStats latency, service, lag, queue, ttft, tpot, itl;
  std::optional<bool> slo_pass;
  std::optional<std::string> note;
};

struct LoadWindow : LoadStats {};

struct Summary : LoadStats {
  std::optional<int64_t> inflight_ns;
  std::optional<double> inflight_mean;
  std::optional<uint64_t> inflight_max;
  std::optional<double> little_ratio;
  std::optional<double> latency_over_service;
  std::optional<double> cpu_ns_per_request;
  std::optional<double> lag_drift_ns_per_min;
  std::optional<int64_t> warmup_ns;
  std::optional<int64_t> max_lag_ns;
  bool valid = true;
  std::optional<std::string> why;
};

struct OutcomeCount {
  std::string klass = "*";
  std::optional<uint32_t> window;
  std::string outcome;
  uint64_t count = 0;
};

}  // namespace mlq::records
