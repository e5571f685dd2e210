// A queue before a server of c instances that serve batches: exact, from given arrivals.
//
// FIFO. An instance that is free starts a batch when the queue holds B requests or its head has waited for
// the delay; it takes n = min(queue, B). Service takes
//   (a + b n^g) ((1-f) + f/p + s (p-1)) O eps
// with Amdahl's law and a cost of synchronisation for p threads, O = 1 while A = busy p threads (this batch's
// among them) find a core each and (A/C) (1 + o (A/C - 1)) beyond, fixed at dispatch, and log-normal noise
// eps = exp(sigma z - sigma^2/2). Of all events at one instant ends of service come first, then arrivals in
// their order, then starts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/records/tune.h"

namespace mlq::tune {

// Times in nanoseconds.
struct ServerModel {
  uint32_t instances = 1;  // 0: no limit
  uint32_t threads = 1;    // p, of an instance
  uint32_t batch = 1;      // B
  int64_t delay_ns = 0;
  double cores = 1;          // C
  double base_ns = 0;        // a
  double request_ns = 0;     // b
  double batch_power = 1;    // g
  double parallel = 0;       // f
  double sync = 0;           // s
  double oversubscribe = 0;  // o
  double sigma = 0;
  uint32_t queue_limit = 0;  // requests that find so many waiting are turned away; 0: none are
};

// Service times of a model. Immutable; any thread.
class ServiceTimes {
 public:
  explicit ServiceTimes(const ServerModel& model);
  // Of a batch of n requests, 1 <= n <= B, when `busy` instances, this one among them, are at work. `eps` is
  // the factor of service_noise(). At least 1 ns, at most 10^18.
  int64_t service_ns(uint32_t n, uint64_t busy, double eps) const;
  // CPU time that a batch costs which took so long.
  double cpu_ns(int64_t service_ns, uint64_t busy) const;

 private:
  double crowding(uint64_t busy) const;  // O

  std::vector<double> alone_ns_;  // by n - 1
  double threads_, cores_, oversubscribe_;
};

// eps of batch 0, 1, ... : Purpose::service, keyed by the batch's ordinal, by inversion. So the k-th batch
// meets the same luck whatever the configuration.
class ServiceNoise {
 public:
  ServiceNoise(uint64_t seed, double sigma, size_t batches);
  std::span<const double> factors() const { return factors_; }

 private:
  std::vector<double> factors_;
};
double service_noise(uint64_t seed, uint64_t batch, double sigma);

// What a run gave. To be used again for the next run, which then allocates nothing.
struct SimulatedRun {
  std::vector<int64_t> latencies;  // of all that were served, in the order of their arrival
  std::vector<int64_t> ends;       // space for the instances at work: a heap
  uint64_t dropped = 0;
  uint64_t batches = 0;
  double cpu_ns = 0;
  int64_t last_end_ns = 0;
};

// Serves `arrivals` (rising) from an empty server; every request is served to its end. `noise` has a factor
// for each batch, so as many as there are arrivals will do. A model with a queue limit: 1/5 of the speed.
void simulate(const ServerModel& model, std::span<const int64_t> arrivals, std::span<const double> noise,
              SimulatedRun& run);

// A window of `window_ns` that held all these arrivals. done_per_s counts what was due. Without any request
// only the counts are there. Moves the latencies about.
records::WindowStats window_of(SimulatedRun& run, int64_t window_ns);

}  // namespace mlq::tune
