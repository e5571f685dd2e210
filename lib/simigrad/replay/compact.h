// A run of many batch sizes as a schedule of a few.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/simigrad/control/options.h"
#include "lib/simigrad/replay/simulate.h"

namespace mlq::simigrad {

struct Segment {
  uint64_t from_step = 0;
  uint64_t from_samples = 0;
  uint64_t steps = 0;
  uint64_t batch = 0;
  double lr_scale = 1;
};

struct Compaction {
  std::vector<Segment> segments;  // one or more; neighbours have different batches
  uint64_t steps = 0;
  uint64_t samples = 0;
  double error = 0;  // mean over the samples of |ln B - ln of the segment's batch|
};

// More stretches than this are first joined, neighbours of a few samples together.
constexpr size_t kMostStretches = 4096;

// At most `segments` pieces (1 or more) with the least error of all, by dynamic programming; each has the
// batch of one of its stretches, their weighted median. With `total_samples` above 0 the last piece is made
// longer, or pieces are cut off, to end there. Segments hold whole steps. Of `control` the learning-rate rule
// is used.
Compaction compact(std::span<const Stretch> stretches, size_t segments, uint64_t total_samples,
                   const ControlOptions& control);

}  // namespace mlq::simigrad
