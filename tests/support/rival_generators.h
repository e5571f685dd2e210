// How other load generators make arrivals, as far as their faults matter: doubles that `check` must reject.
// Written from the description of what they do; times in ns.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::test {

// Draws one after the other, as a rival's stream generator would give them.
class RivalDraws {
 public:
  explicit RivalDraws(uint64_t seed) : random_(seed, Purpose::gaps) {}
  double exponential() { return -fmath::log(random_.uniform(next_++)); }
  // Arrivals of a Poisson process of this rate in a unit of time.
  uint64_t poisson(double mean) {
    uint64_t n = 0;
    for (double t = exponential(); t < mean; t += exponential()) ++n;
    return n;
  }

 private:
  RandomStream random_;
  uint64_t next_ = 0;
};

// `count` exponential gaps stretched so that they fill [start, start + 1 s] exactly: the last arrival is on
// the second.
inline void append_stretched_second(RivalDraws& draws, uint64_t count, int64_t start_ns,
                                    std::vector<int64_t>& times) {
  std::vector<double> sums;
  double sum = 0;
  for (uint64_t k = 0; k < count; ++k) sums.push_back(sum += draws.exponential());
  for (const double at : sums) times.push_back(start_ns + static_cast<int64_t>(at / sum * 1e9));
}

// inference-perf's Poisson timer (load_timer.py): a Poisson number of requests every second, their gaps
// stretched to that second.
inline std::vector<int64_t> second_aligned_poisson(double rate_per_s, int seconds, uint64_t seed) {
  RivalDraws draws(seed);
  std::vector<int64_t> times;
  for (int s = 0; s < seconds; ++s) {
    append_stretched_second(draws, draws.poisson(rate_per_s), s * int64_t{1'000'000'000}, times);
  }
  return times;
}

// inference-perf's constant timer: the right number of requests every second, but exponential gaps between
// them.
inline std::vector<int64_t> jittery_constant(uint64_t rate_per_s, int seconds, uint64_t seed) {
  RivalDraws draws(seed);
  std::vector<int64_t> times;
  for (int s = 0; s < seconds; ++s) {
    append_stretched_second(draws, rate_per_s, s * int64_t{1'000'000'000}, times);
  }
  return times;
}

// The benchmarks of vLLM, and ServeGen: n exponential gaps stretched to the total n / rate.
inline std::vector<int64_t> rescaled_total(double rate_per_s, uint64_t n, uint64_t seed) {
  RivalDraws draws(seed);
  std::vector<double> sums;
  double sum = 0;
  for (uint64_t k = 0; k < n; ++k) sums.push_back(sum += draws.exponential());
  std::vector<int64_t> times;
  for (const double at : sums) {
    times.push_back(static_cast<int64_t>(at / sum * static_cast<double>(n) / rate_per_s * 1e9));
  }
  return times;
}

// A loop that sleeps for each gap and then spends `cost_ns` on sending, which nobody takes off the next
// sleep.
inline std::vector<int64_t> relative_sleeps(double rate_per_s, uint64_t n, int64_t cost_ns, uint64_t seed) {
  RivalDraws draws(seed);
  std::vector<int64_t> times;
  int64_t t = 0;
  for (uint64_t k = 0; k < n; ++k) {
    t += static_cast<int64_t>(draws.exponential() / rate_per_s * 1e9) + cost_ns;
    times.push_back(t);
  }
  return times;
}

// perf_analyzer: one schedule for ever, whatever the seed.
inline std::vector<int64_t> fixed_schedule(double rate_per_s, uint64_t n, uint64_t /*seed*/) {
  return relative_sleeps(rate_per_s, n, 0, 1);
}

// AIPerf: the seed 0 counts as no seed, so it is drawn afresh.
inline std::vector<int64_t> zero_is_no_seed(double rate_per_s, uint64_t n, uint64_t seed) {
  static uint64_t fresh = 1'000'000;
  return relative_sleeps(rate_per_s, n, 0, seed == 0 ? ++fresh : seed);
}

}  // namespace mlq::test
