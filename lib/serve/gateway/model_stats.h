// What a model has done: totals for the metrics, by generation of the knobs, and the window of a second.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lib/records/serve.h"
#include "lib/serve/control/metrics.h"
#include "lib/serve/schedule/scheduler.h"
#include "lib/stats/histogram.h"

namespace mlq::serve {

// How one request ended.
struct Ending {
  int status = 0;  // 499: the client went
  std::string_view reason;
  uint64_t gen_admitted = 0, gen = 0;
  int64_t latency_ns = 0;
  int64_t queue_ns = -1;  // -1: it never left the queue for a replica
  bool good = false;
  bool has_deadline = false;
  bool defaulted = false;
  bool hit = false, coalesced = false;
};

// One owner; not thread-safe. The last kMostGenerations have their own series, requests that saw two have
// "mixed"; older series are let go, so a sum over them may fall: rates are to be summed, not sums rated.
class ModelStats {
 public:
  static constexpr size_t kMostGenerations = 8;

  void arrived() { ++window_arrivals_; }
  void ended(const Ending& ending);
  void batch(uint32_t replica, uint32_t rows, int64_t latency_ns, BatchOutcome outcome);
  void split_failed() { ++split_failures_; }
  void miss() { ++cache_misses_; }

  uint64_t good() const { return good_; }

  // The window since the last call, or since the start; what is not counted here is left for the caller.
  records::ServeWindow take_window(int64_t t_ns, int64_t window_ns);

  // Families of all models at once: `models` are pairs of name and stats.
  using Named = std::pair<std::string_view, const ModelStats*>;
  static void write(std::span<const Named> models, MetricsText& out);

 private:
  struct Series {
    std::map<std::pair<int, std::string>, uint64_t> requests;  // by status and reason
    uint64_t good = 0, missed = 0;
    DurationBuckets latency, queue;
  };
  Series& series(const Ending& ending);

  std::deque<std::pair<std::string, Series>> series_;  // by generation, oldest first
  RowBuckets batch_rows_;
  std::map<uint32_t, DurationBuckets> batch_seconds_;
  std::map<std::string, uint64_t> shed_, defaulted_;
  uint64_t good_ = 0;
  uint64_t split_failures_ = 0, cache_hits_ = 0, cache_misses_ = 0, coalesced_ = 0;

  records::ServeWindow window_;
  uint64_t window_arrivals_ = 0;
  uint64_t window_rows_ = 0;
  stats::Histogram window_latency_, window_queue_;
};

}  // namespace mlq::serve
