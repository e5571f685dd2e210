// `mlq-replay merge`: the shards of one run become the run. Histograms and counts add, so quantiles,
// attainments, intervals and the verdict are those of one process that had sent everything. What does not add
// is left out: inflight_max and lag_drift_ns_per_min.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/reader.h"
#include "lib/records/writer.h"
#include "lib/replay/summary.h"

namespace mlq::replay {

struct MergeOptions {
  records::ReaderOptions reader;
  bool partial = false;                       // go on without shards that are not there
  uint64_t memory_bytes = uint64_t{1} << 30;  // results held while sorting; beyond, temporary files
  std::string temp_folder = ".";
  // Told what people should know and no record says, one line each; may be empty.
  std::function<void(const std::string&)> notice;
};

// What people see of one shard.
struct ShardFacts {
  uint32_t shard = 0;
  std::string name;
  uint64_t planned = 0;
  std::optional<int64_t> lag_p99_ns;
  std::optional<int64_t> start_skew_ns;  // its start minus that of the earliest
  std::optional<int64_t> clock_error_ns;
  std::string why;  // of its own summary
};

struct MergeOutcome {
  std::vector<records::Summary> summaries;  // "*" first
  std::vector<ShardFacts> shards;           // by shard
  bool interrupted = false;                 // a stop request ended the work early
};

// Reads the streams and writes the merged one: run, results by (due_ns, i), windows, totals, end. A single
// stream of an unsharded run is merged as 1 of 1. Memory: options.memory_bytes, 42 kB a metric, class and
// window being joined, and the load_window records.
//
// Input Errors, before anything is written: a stream that is cut; trace_xxh3, trace_count, shards,
// shard_rule or config_xxh3 that differ; a shard that is there twice; one that is missing, unless `partial`;
// i_digest values that do not add up to trace_i_digest; records that contradict each other.
MergeOutcome run_merge(const std::vector<std::string>& files, const MergeOptions& options, records::Run base,
                       records::Writer& writer);

// Facts of several shards as those of one run.
RunFacts merge_facts(const std::vector<RunFacts>& shards);

}  // namespace mlq::replay
