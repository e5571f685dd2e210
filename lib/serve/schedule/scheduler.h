// The scheduler of one model: which requests are taken in, when they go to which replica in which batch, and
// which are given up. A pure state machine: no clock, no I/O, no thread; every event brings its time, steady
// nanoseconds that never go back. Not thread-safe: one owner.
//
// Use: tell it events (arrive, cancel, batch_done, ...), as many as came together, then call step(): it fills
// Actions with the batches to send and the requests to answer with an error. Call step() again at next_wake()
// at the latest. A batch that was dispatched is in flight until batch_done.
//
// Rules. A slot is a batch that a serving replica may have in flight. While one is free: requests that would
// be late leave by the drop rule; the batch key whose head is first goes; its requests go in order up to the
// replica's target size and max_batch_bytes, as many as their earliest deadline allows for. A request is
// never split: one with more rows than the target goes alone. Order is (level, deadline, arrival).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lib/serve/schedule/knobs.h"
#include "lib/serve/schedule/latency_model.h"
#include "lib/serve/schedule/replica_set.h"
#include "lib/serve/schedule/request.h"

namespace mlq::serve {

enum class Rejection : uint8_t {
  none,        // taken in
  queue_full,  // max_queue_rows or max_queue_bytes
  late,        // its predicted finish is after its deadline
  no_replica,  // no replica serves
};
struct Verdict {
  Rejection rejection = Rejection::none;
  int64_t retry_after_ns = 0;  // when refused: after this long it may well be taken in
  bool alone = false;          // there were kMaxLiveKeys other keys: it goes alone
};

struct Dispatch {
  uint64_t batch = 0;
  ReplicaId replica = 0;
  uint32_t first = 0, requests = 0;  // its tokens: Actions::tokens[first .. first + requests)
  uint32_t rows = 0;
  uint32_t target_rows = 0;  // the size the controller aimed at
  int64_t predicted_ns = 0;  // l_q(rows); 0 before anything was measured
  int64_t hold_ns = 0;       // how long it waited for more although a slot was free
};

enum class ShedReason : uint8_t { deadline, codel, no_replica };
struct Shed {
  uint64_t token = 0;
  ShedReason reason = ShedReason::deadline;
};

enum class ControllerEventKind : uint8_t { grow, shrink, drift, slo_infeasible };
struct ControllerEvent {
  ReplicaId replica = 0;
  ControllerEventKind kind = ControllerEventKind::grow;
  uint32_t target_rows = 0;
  double alpha_ns_per_row = 0, beta_ns = 0;
  double share_over = 0;
};

// What to do now. The caller clears it; its vectors are meant to be used again and again.
struct Actions {
  std::vector<Dispatch> dispatches;
  std::vector<uint64_t> tokens;
  std::vector<Shed> sheds;
  std::vector<ControllerEvent> controller_events;

  std::span<const uint64_t> tokens_of(const Dispatch& batch) const {
    return std::span(tokens).subspan(batch.first, batch.requests);
  }
  void clear();
};

// For records and metrics. Of all replicas together: the largest target, the model of the replica that saw
// most batches.
struct SchedulerFigures {
  uint32_t target_rows = 0;
  double alpha_ns_per_row = 0, beta_ns = 0;
  double share_over = 0;  // of the last 512 batches, those that took longer than predicted_ns
  double arrival_rows_per_s = 0;
  uint64_t queued_requests = 0, queued_rows = 0, queued_bytes = 0;
  uint32_t batches_in_flight = 0, rows_in_flight = 0;
  uint32_t slots = 0;  // of serving replicas
};
struct ReplicaFigures {
  uint32_t target_rows = 0;
  double alpha_ns_per_row = 0, beta_ns = 0;
  double share_over = 0;
  uint32_t batches_in_flight = 0, slots = 0;
};

class Scheduler {
 public:
  Scheduler(const SchedulerKnobs& knobs, uint64_t seed);
  ~Scheduler();
  Scheduler(Scheduler&&) noexcept;
  Scheduler& operator=(Scheduler&&) noexcept;

  // Replicas. Health, drain, warm-up and retry events go to replicas() directly; call step() afterwards.
  void add_replica(int64_t now_ns, ReplicaId id, bool ready);
  void remove_replica(int64_t now_ns, ReplicaId id);
  ReplicaSet& replicas();
  const ReplicaSet& replicas() const;

  // A new request. One that is refused is not kept.
  Verdict arrive(int64_t now_ns, const Request& request);
  // Requests that were dispatched and come again (another replica, half of a batch): they keep their place,
  // are past admission and bounds, form batches only with each other, under `group`, a number that no other
  // key or group has; and go to a replica other than `avoid` if another one serves.
  void requeue(int64_t now_ns, uint64_t group, std::span<const Request> requests,
               std::optional<ReplicaId> avoid);
  // The client has gone. True: it was waiting and is dropped. False: it flies or is unknown.
  bool cancel(uint64_t token);
  // A dispatched batch ended. `latency_ns`: first upstream byte written to last reply byte read. A batch that
  // is unknown is ignored.
  void batch_done(int64_t now_ns, uint64_t batch, BatchOutcome outcome, int64_t latency_ns);
  // What a request cost outside of queue and replica: parse to queue, and reply to socket. Deadlines are kept
  // with the p99 of the last second in hand, but with half of slo_ns at most: a stall of our own must not
  // make every request look lost.
  void observe_overhead(int64_t now_ns, int64_t overhead_ns);
  // Between two batches; what waits stays waiting. A change of `controller` starts that controller anew on
  // the same latency model.
  void set_knobs(const SchedulerKnobs& knobs);
  const SchedulerKnobs& knobs() const;

  // Appends what is to be done now.
  void step(int64_t now_ns, Actions& actions);
  // When step() is due next if nothing happens before; absent: only after an event.
  std::optional<int64_t> next_wake() const;

  SchedulerFigures figures(int64_t now_ns) const;
  ReplicaFigures replica_figures(ReplicaId id) const;
  // Saved and restored with a weight of 8 batches. Restore after add_replica, before its first batch.
  LatencyState latency_state(ReplicaId id) const;
  void restore_latency(ReplicaId id, const LatencyState& state);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mlq::serve
