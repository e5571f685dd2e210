// Spreading of events that share a time stamp because the source's clock was coarse.
//
// A clock of resolution P that shows s says that the event lay in [s, s + P). Given that n events of a
// Poisson process did, they are n sorted uniforms there, so `uniform` is exact for such a process at any
// rate.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/random.h"

namespace mlq::arrival {

enum class Dequantise {
  none,     // times as they were recorded
  uniform,  // n sorted uniform draws
  even,     // s + (j + 1/2) P / n, j = 0 .. n-1
};

// Where the events stamped `stamp_ns` are put: the n = times.size() events get times in
// [stamp, stamp + width), not decreasing, in the order they have. `width_ns` is the resolution, or the
// distance to the next stamp where that is less. `first_index` is the index of the first of them in the
// trace: event i owns draw i of purpose `dequantise`, so results do not depend on how the trace is cut into
// calls. `scratch` is memory to reuse. Mode `none` gives `stamp_ns` to all. Thread-safe.
void spread_ties(Dequantise mode, int64_t stamp_ns, int64_t width_ns, uint64_t first_index,
                 const RandomStream& random, std::span<int64_t> times, std::vector<double>& scratch);

}  // namespace mlq::arrival
