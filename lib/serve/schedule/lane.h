// One replica as the scheduler sees it: what it learnt about its latency, its controller and its flights.
// Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lib/serve/schedule/controller.h"
#include "lib/serve/schedule/latency_model.h"
#include "lib/serve/schedule/measures.h"
#include "lib/serve/schedule/replica_set.h"

namespace mlq::serve {

struct Flight {
  uint64_t batch = 0;
  uint32_t rows = 0, target_rows = 0;
  int64_t sent_ns = 0;
  double predicted_ns = 0;
  bool full = false;
};

class Lane {
 public:
  Lane(ReplicaId id, ControllerKind kind) : id_(id), controller_(make_controller(kind)) {}

  ReplicaId id() const { return id_; }
  const LatencyModel& model() const { return model_; }
  void restore(const LatencyState& state) { model_.restore(state); }
  void change_controller(ControllerKind kind) { controller_ = make_controller(kind); }

  // Slots, and how many are free.
  uint32_t slots(const SchedulerKnobs& knobs) const;
  uint32_t free_slots(const SchedulerKnobs& knobs) const;
  const std::vector<Flight>& flights() const { return flights_; }
  void send(const Flight& flight) { flights_.push_back(flight); }
  std::optional<Flight> land(uint64_t batch);
  int64_t last_sent_ns() const { return last_sent_ns_; }
  void note_sent(int64_t now_ns) { last_sent_ns_ = now_ns; }

  uint32_t target(const SchedulerKnobs& knobs, double budget_ns) const;
  uint32_t next_size(const SchedulerKnobs& knobs, double budget_ns, uint64_t queued) const;
  uint32_t trial_size(const SchedulerKnobs& knobs, double budget_ns) const;
  // A clean flight took that long.
  void observe(const SchedulerKnobs& knobs, double budget_ns, const Flight& flight, double latency_ns);

  // The time to plan with for n rows: l_q(n); m(n) when a single row's l_q misses the budget; 0 when even its
  // mean does, or nothing was measured yet: then nothing is shed for what is predicted.
  double bound_ns(double rows, const SchedulerKnobs& knobs, double budget_ns) const;
  // Expected time until its flights are done, shared by the slots.
  double remaining_ns(int64_t now_ns, const SchedulerKnobs& knobs) const;
  // Expected time until a slot is free.
  double next_slot_ns(int64_t now_ns, const SchedulerKnobs& knobs) const;
  // A flight is so long overdue that the replica seems to stand still.
  bool overdue(int64_t now_ns) const;
  // Not even one row's mean fits the budget: bound_ns says 0.
  bool hopeless(double budget_ns) const { return model_.mean_ns(1) > budget_ns; }
  // Rows per ns that all its slots do at the target size; 0 while nothing was measured, or when it is
  // overdue.
  double capacity(int64_t now_ns, const SchedulerKnobs& knobs, double budget_ns) const;
  uint32_t rows_in_flight() const;
  double share_over() const { return over_.share(); }

  // Whether the infeasible state began, and whether the target moved by a factor of 1.5, since the last call.
  struct News {
    bool infeasible = false, grew = false, shrank = false;
  };
  News take_news(const SchedulerKnobs& knobs, double budget_ns);

 private:
  ControllerView view(const SchedulerKnobs& knobs, double budget_ns) const {
    return {model_, knobs, budget_ns};
  }

  ReplicaId id_;
  LatencyModel model_;
  std::unique_ptr<Controller> controller_;
  std::vector<Flight> flights_;
  GradientLimit gradient_;
  ShareWindow over_;
  int64_t last_sent_ns_ = INT64_MIN / 2;
  bool was_infeasible_ = false;
  uint32_t told_target_ = 1;
};

}  // namespace mlq::serve
