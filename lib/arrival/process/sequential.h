// Sources of times that do not run on the engine.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lib/arrival/path/paths.h"
#include "lib/arrival/process/engine.h"

namespace mlq::arrival {

// t_i = floor(i * gap + offset), exact, so that nothing drifts; each arrival moved by a uniform share of the
// gap within +- `jitter` (at most 0.5, which keeps the order).
std::unique_ptr<TimeSource> deterministic_times(const Rate& rate, double jitter, Start start,
                                                const Limits& limits, uint64_t seed, uint32_t stream);

// A number of arrivals in each interval, at sorted uniforms (order statistics by exponential spacings).
// Intervals ascend.
struct CountedBin {
  u128 start;  // 64.64 ns
  u128 length;
  uint64_t count;
};
std::unique_ptr<TimeSource> counted_times(std::vector<CountedBin> bins, const Limits& limits, uint64_t seed,
                                          uint32_t stream);

// A (batch) Markovian arrival process: matrices[0] holds moves without arrivals, matrices[k] moves with k
// arrivals; rates per second, at most 10^9 out of a state. Started in its stationary law. Throws input Errors
// naming the row.
std::unique_ptr<TimeSource> map_times(const std::vector<std::vector<std::vector<double>>>& matrices,
                                      const Limits& limits, uint64_t seed, uint32_t stream);

// The union of several sources, ordered by (time, source).
std::unique_ptr<TimeSource> superposed_times(std::vector<std::unique_ptr<TimeSource>> sources,
                                             const Limits& limits);

}  // namespace mlq::arrival
