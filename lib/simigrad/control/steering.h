// From observations to batch sizes: estimates, controller, limits, realisation and learning rate in turn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/simigrad.h"
#include "lib/simigrad/control/options.h"
#include "lib/simigrad/control/published.h"
#include "lib/simigrad/control/wanted.h"

namespace mlq::simigrad {

// How a batch, a multiple of options.micro x options.workers, is realised: the widest micro-batch that
// --max-micro allows. Both are there.
Realised realised_by(const ControlOptions& options, uint64_t batch);

// Decides step by step; no clock and no random number, IEEE basic operations and square roots, so that the
// same observations give the same bytes on every machine. After the controller the limits come in this order:
// change limit (ratio and sqrt-noise), monotone, upper bound, lower bound, granularity, cool-down, dead band;
// simigrad has bounds and realisation as published and nothing else. Not thread-safe; a value type.
class Steering {
 public:
  // A usage Error if the options contradict themselves.
  explicit Steering(ControlOptions options);

  // A run that begins with `batch`; else the first observation's. Workers and micro-batch of the trainer
  // stand in for --dp and --micro where these were not given. An input Error if no batch is left.
  void start(uint64_t batch, std::optional<uint64_t> workers = {}, std::optional<uint64_t> micro = {});
  bool started() const { return now_.started; }
  // A trainer that comes back may have other workers.
  void set_workers(uint64_t workers, uint64_t micro);

  // The decision after a step. Steps rise.
  records::BatchSize decide(const Observation& observation);
  // Forgets the steps after `step`. False, and nothing is changed, if that is further back than what is kept:
  // the last kKeptSteps.
  bool rewind(uint64_t step);
  // Forgets all steps, likewise.
  bool restart();
  static constexpr size_t kKeptSteps = 4096;

  // What holds now, or held after `step`.
  struct State {
    bool started = false;
    uint64_t step = 0;  // the last one
    bool any_step = false;
    uint64_t batch = 0;
    Realised realised;
    double lr_scale = 1;
    uint64_t pushed = 0;  // valid steps before
    std::optional<uint64_t> decided_at, moved_at;
  };
  const State& now() const { return now_; }
  std::optional<State> after(uint64_t step) const;

  uint64_t min() const { return options_.min; }
  uint64_t max() const { return max_; }
  const ControlOptions& options() const { return options_; }
  const Estimator& estimator() const { return estimator_; }
  // The estimates after the last decide().
  const Signal& signal() const { return signal_; }

 private:
  struct Move {
    uint64_t batch = 0;
    double wanted = 0;
    const char* clamped = "none";
  };
  Move move(const Observation& observation) const;
  Move limited(double wanted, uint64_t present) const;
  Move published(double wanted, uint64_t present) const;
  bool go_back_to(const State& state);
  std::optional<double> smoothed_cos(const Observation& observation) const;
  Realised realise(uint64_t batch, uint64_t present) const;
  double lr_scale(uint64_t batch) const;

  ControlOptions options_;
  bool own_granule_ = false;  // the options say what batches are made of
  Estimator estimator_;
  Signal signal_;
  uint64_t max_ = 0;
  uint64_t base_ = 0;
  State first_, now_;
  std::vector<State> past_;  // after each of the last steps, oldest first; at most 2 kKeptSteps
  bool all_kept_ = true;     // none was dropped
};

}  // namespace mlq::simigrad
