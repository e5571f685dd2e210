// The way of results from a sending thread to the writer: bounded, and never in the sender's way.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/spsc_ring.h"
#include "lib/base/units.h"
#include "lib/replay/shard.h"

namespace mlq::replay {

// Which `result` records are written.
struct ResultFilter {
  enum class Kind { all, errors, none, sample } kind = Kind::all;
  Ratio share{1, 1};  // of sample; drawn by i
  uint64_t seed = 1;
  bool keeps(const records::Result& result) const;
};
// `all`, `errors`, `none` or `sample:SHARE`; a usage Error says so.
ResultFilter parse_result_filter(std::string_view text);

// One sending thread puts, the writer takes. When the writer is too slow, results are dropped and counted;
// windows, which are few, are never.
class Lane final : public ResultSink {
 public:
  Lane(const ResultFilter& filter, size_t bytes)
      : filter_(filter), ring_(std::max<size_t>(bytes / sizeof(records::Result), 1024)) {}

  // Of the sender.
  void result(records::Result&& result) override;
  void windows(ClosedWindows&& closed) override;

  // Of the writer.
  records::Result* next() { return ring_.front(); }
  void pop() { ring_.pop(); }
  std::vector<ClosedWindows> take_windows();

  // Of any thread.
  uint64_t done() const { return done_.load(std::memory_order_relaxed); }  // results so far, written or not
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  const ResultFilter filter_;
  SpscRing<records::Result> ring_;
  std::mutex closing_;
  std::vector<ClosedWindows> closed_;
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> dropped_{0};
};

}  // namespace mlq::replay
