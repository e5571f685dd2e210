// The requests of one window: a stretch of a trace, rendered one ahead of its turn.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <vector>

#include "lib/jsonl/buffer.h"
#include "lib/replay/plan.h"
#include "lib/replay/template.h"
#include "lib/tune/measure/load_trace.h"
#include "lib/tune/measure/tally.h"

namespace mlq::tune {

// Which part of the trace, and how long. Times from the start of sending.
struct Stretch {
  uint64_t first = 0;                                      // the first arrival to be sent
  int64_t origin_ns = 0;                                   // trace time at the start
  int64_t settle_ns = 0;                                   // what is due before is not counted
  int64_t until_ns = std::numeric_limits<int64_t>::max();  // nothing that is due then or later is sent,
  uint64_t end = std::numeric_limits<uint64_t>::max();     // nor this arrival, nor any behind it
  // What is sent while it settles is the beginning of what is counted, sent once more (an episode is measured
  // whole). Else the settling takes the trace's own time.
  bool lead_in = false;
};

// Counted requests are put into `samples` when they are handed on, in order, so that number k of them has the
// index i = first_counted() + k; `i` of the others is the same as in the trace. Not thread-safe.
class WindowRequests final : public replay::PlanSource {
 public:
  WindowRequests(const LoadTrace& trace, const replay::Template& form, const Stretch& stretch,
                 std::vector<Sample>& samples);

  replay::Planned* next() override { return ready_ ? &planned_ : nullptr; }
  void pop() override;
  bool ended() const override;
  int64_t last_due_ns() const override;

  // From now on nothing that is due at `until_ns` or later is sent.
  void end_at(int64_t until_ns);
  // The arrival that comes next in the trace, for the window after this one.
  uint64_t position() const { return at_; }
  uint64_t first_counted() const { return first_counted_; }
  // Appends a pending sample for each counted request that was due before `now_ns` and has not been handed on
  // (too many are in flight).
  void append_waiting(int64_t now_ns, std::vector<Sample>& out) const;

 private:
  int64_t due_of(uint64_t k, bool leading) const;
  bool allowed(uint64_t k, bool leading) const;
  void prepare();

  const LoadTrace& trace_;
  const replay::Template& form_;
  Stretch stretch_;
  std::vector<Sample>& samples_;
  uint64_t at_;
  bool leading_;
  uint64_t first_counted_ = 0;
  bool ready_ = false;
  replay::Planned planned_;
  jsonl::Buffer body_;
  std::shared_ptr<replay::Arena> arena_;
  std::atomic<size_t> held_bytes_{0};
};

}  // namespace mlq::tune
