// A discrete-event simulator around the scheduler: clients in front of it, replicas behind it, a virtual
// clock. What it drives is what production runs. Same options, same result.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "lib/serve/schedule/scheduler.h"

namespace mlq::serve::sim {

using Curve = std::function<double(double rows)>;  // ns that a batch of so many rows takes

enum class Arrivals { poisson, bursty };  // bursty: 16 at a time on average, geometric

struct Options {
  SchedulerKnobs knobs;
  Curve curve;
  double noise = 0.1;     // sigma of the lognormal factor, whose mean is 1
  double rate_per_s = 0;  // requests of one row
  Arrivals arrivals = Arrivals::poisson;
  uint32_t replicas = 1;
  uint64_t warm_batches = 200;  // clean batches before anything counts
  uint64_t requests = 30'000;   // that count
  uint64_t seed = 1;
  bool deadlines = true;                 // each request's own is arrival + slo_ns
  double stall_share = 0, stall_ns = 0;  // share of the batches that take so much longer, whatever their size
  // The factor on all latencies, by the number of batches that ended so far.
  std::function<double(uint64_t batches)> slowdown = nullptr;
  // Called when a batch ended, with the number of those before it.
  std::function<void(const Scheduler&, uint64_t batches)> watch = nullptr;
};

struct Result {
  double offered_per_s = 0, good_per_s = 0;
  uint64_t offered = 0, good = 0, accepted = 0, late = 0, refused = 0, shed = 0;
  int64_t p50_ns = 0, p99_ns = 0;  // of what was answered
  double mean_rows = 0;
  uint64_t batches = 0;
};

Result simulate(const Options& options);

}  // namespace mlq::serve::sim
