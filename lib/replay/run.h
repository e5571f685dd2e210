// A whole run: reads the trace, sends it, writes results, windows, accounts and a summary with a verdict.
//
// Threads: the reader, `threads` sending threads, and the caller's, which writes. They share nothing but
// bounded queues; what happens at each bound is said in replay(1).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/stop.h"
#include "lib/base/units.h"
#include "lib/http/client.h"
#include "lib/records/load.h"
#include "lib/records/reader.h"
#include "lib/records/stream.h"
#include "lib/records/writer.h"
#include "lib/replay/lane.h"
#include "lib/replay/plan_reader.h"
#include "lib/replay/priority.h"
#include "lib/replay/shard.h"
#include "lib/replay/start.h"
#include "lib/replay/summary.h"
#include "lib/replay/template.h"

namespace mlq::replay {

struct RunOptions {
  http::ClientConfig client;
  TemplateOptions requests;
  ShardOptions sending;  // max_inflight is that of the process
  PlanReaderOptions reading;
  StartOptions start;
  ResultFilter results;
  Priority priority = Priority::automatic;
  std::optional<uint64_t> conns;           // opened before the start; default 64, with HTTP/2 1
  std::optional<uint32_t> max_inflight;    // default: descriptors - 64
  std::string warm_target;                 // GET this to open connections, instead of the API's own
  uint64_t warmup_requests = 0;            // before the start
  std::optional<int64_t> max_lag_ns;       // of the p99 of the lag; default max(1 ms, 5% of the mean gap)
  size_t record_bytes = size_t{64} << 20;  // of results on their way to the writer
  bool dry_run = false;
  std::string slo_text;
  uint64_t seed = 1;
};

struct RunOutcome {
  std::vector<records::Summary>
      summaries;  // all, then the classes; none if it was interrupted before the start
  bool cap_aborted = false;
  bool interrupted = false;
};

// `trace`: the reader, before its first record; an input Error if no arrival is in it. `run` is completed and
// written. `notice` gets what a person should know; `progress` is called now and then with the requests done.
// Errors: environment if no connection can be opened before the start or output is lost; input if the trace
// is wrong (what had come was sent, and the accounts are written first). A first signal ends sending and
// everything is still written.
RunOutcome run_replay(const RunOptions& options, records::Reader& trace, records::Run run,
                      records::Writer& writer, const StopFlag& stop,
                      const std::function<void(const std::string&)>& notice,
                      const std::function<void(uint64_t)>& progress);

}  // namespace mlq::replay
