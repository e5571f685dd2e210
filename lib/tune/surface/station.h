// The simulated server as a state machine that is told of arrivals and of time: for a clock that runs, and
// where requests are turned away. See simulator.h for the rules.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "lib/tune/surface/simulator.h"

namespace mlq::tune {

// Time is whatever the caller says, in nanoseconds, and never goes back. Not thread-safe.
class Station {
 public:
  // Of one request: `id` as given to arrive().
  struct Served {
    uint64_t id = 0;
    int64_t arrived_ns = 0;
    int64_t started_ns = 0;
    int64_t ended_ns = 0;
  };
  struct Hooks {
    std::function<double(uint64_t batch)> noise;  // eps of that batch
    // In the order of the ends; requests of a batch in that of their arrival.
    std::function<void(const Served&)> served;
    // A batch ended; cpu_ns is what it cost. May be empty.
    std::function<void(uint32_t n, double cpu_ns)> batch_ended;
  };
  Station(const ServerModel& model, Hooks hooks);

  // False: turned away. Everything before t_ns must have been advanced over.
  bool arrive(int64_t t_ns, uint64_t id);
  // Everything up to and including t_ns happens.
  void advance(int64_t t_ns);
  // When something happens next if nobody arrives; INT64_MAX: never.
  int64_t next_ns() const;

  // Batches that are being served go on as they began; what waits is served by the new rules. Takes effect
  // with the next advance().
  void set_model(const ServerModel& model);

  uint64_t waiting() const { return queue_.size(); }
  uint64_t busy() const { return running_.size(); }
  uint64_t batches() const { return batches_; }

 private:
  struct Waiting {
    uint64_t id;
    int64_t arrived_ns;
  };
  struct Batch {
    int64_t end_ns = 0;
    uint64_t number = 0;  // ties end in the order of their starts
    double cpu_ns = 0;
    int64_t started_ns = 0;
    std::vector<Waiting> requests;
  };
  static bool later(const Batch& a, const Batch& b);
  bool has_room() const { return model_.instances == 0 || running_.size() < model_.instances; }
  int64_t ready_ns() const;  // when the queue alone would let a batch start
  void start_batches(int64_t t_ns);
  void start(int64_t t_ns);
  void end_first();

  ServerModel model_;
  ServiceTimes times_;
  Hooks hooks_;
  std::deque<Waiting> queue_;
  std::vector<Batch> running_;  // a heap, the next to end first
  uint64_t batches_ = 0;
  int64_t now_ns_ = 0;
};

}  // namespace mlq::tune
