// The thread that reads the trace, renders the requests of this process, and hands them to the sending
// threads ahead of time.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/stop.h"
#include "lib/base/units.h"
#include "lib/records/reader.h"
#include "lib/records/writer.h"
#include "lib/replay/plan.h"
#include "lib/replay/template.h"

namespace mlq::replay {

// Which arrivals are whose: index i mod n, or the hash of the conversation mod n, so that the turns of a
// dialogue stay together. The union over all shards is the trace.
struct ShardRule {
  uint32_t shard = 0;
  uint32_t shards = 1;
  uint32_t threads = 1;  // what this process has is shared out among its threads by the same rule

  bool owns(const records::Arrival& arrival, uint64_t i) const { return place(arrival, i) % shards == shard; }
  uint32_t thread_of(const records::Arrival& arrival, uint64_t i) const {
    return static_cast<uint32_t>(place(arrival, i) / shards % threads);
  }
  static uint64_t place(const records::Arrival& arrival, uint64_t i);
};
constexpr std::string_view kShardRuleName = "index";

// When `t_ns` of a trace is due, from the start; at most kLatestDue. Rounded down.
constexpr int64_t kLatestDue = int64_t{1} << 62;  // beyond it, sums of times overflow
int64_t on_the_wall(int64_t t_ns, const Ratio& speed);

struct PlanReaderOptions {
  ShardRule rule;
  Ratio speed{1, 1};                        // trace time over wall time
  size_t buffer_bytes = size_t{256} << 20;  // of rendered requests
};

// What is known of the trace once it has been read.
struct TraceFacts {
  std::string xxh3;            // of its arrival lines
  uint64_t count = 0;          // arrivals
  uint64_t i_digest = 0;       // sum of mix64(i)
  uint64_t unsent = 0;         // ours, read but not handed on after a request to stop
  int64_t last_due_ns = 0;     // of all arrivals
  int64_t duration_ns = 0;     // of the trace's `end`, on the wall; 0 where it says none
  bool late = false;           // an arrival came out of order, behind its turn
  std::exception_ptr failure;  // the trace could not be read to its end
  std::exception_ptr cut;      // it was, but the end of it is missing
};

// The first arrival must be the reader's current record (see current). Reader, template, rings and `stop`
// must outlive the object.
class PlanReader {
 public:
  PlanReader(records::Reader& reader, const Template& requests, const PlanReaderOptions& options,
             std::vector<PlanRing*> rings, const StopFlag& stop);

  // The body of the thread. Never throws: see TraceFacts::failure.
  void run();
  // The queues are full or the trace has ended: sending may start. Any thread.
  bool primed() const { return primed_.load(std::memory_order_acquire); }
  // Sending has started: from now on a fault ends the plan instead of preventing it.
  const TraceFacts& facts() const { return facts_; }  // after run()

 private:
  struct Held {
    records::Arrival arrival;
    uint64_t i = 0;
  };
  int64_t on_the_wall(int64_t t_ns) const { return replay::on_the_wall(t_ns, options_.speed); }
  bool read(Held& held);
  void read_all();
  void read_sorted(std::vector<Held>&& first);
  void read_unsorted(std::vector<Held>&& first);
  void put(const Held& held);
  Planned render(const Held& held);
  bool wait_for_room(const PlanRing& ring);

  records::Reader& reader_;
  const Template& template_;
  const PlanReaderOptions options_;
  const std::vector<PlanRing*> rings_;
  const StopFlag& stop_;
  records::TraceHash hash_;
  TraceFacts facts_;
  jsonl::Buffer scratch_;
  std::shared_ptr<Arena> arena_;
  std::atomic<size_t> held_bytes_{0};
  std::atomic<bool> primed_{false};
  bool at_first_ = true;
  bool ended_ = false;
  int64_t last_t_ns_ = 0;
};

}  // namespace mlq::replay
