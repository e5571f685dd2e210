// What a controller asks for, before any limit: pure functions of what was measured.
#pragma once

#include <optional>

#include "lib/simigrad/control/options.h"

namespace mlq::simigrad {

// What there is to decide from, after the step has entered the estimates.
struct Evidence {
  const Observation& observation;
  const Signal& signal;
  double cos = 0;      // that simigrad goes by: the last one or the mean of the last; NaN if there is none
  uint64_t batch = 0;  // of this step
};

// The batch that is wanted, in samples; none where the evidence says nothing. `options` is valid.
//   simigrad    published_step
//   ratio       kappa s/a; where a <= 0, the lower limit of its interval if that is above the batch
//   sqrt-noise  sqrt(step_cost s/a), which minimises samples + step_cost x steps; else as ratio
//   normtest    the least batch that passes, or the present one (Byrd et al. 2012; in the form of DDP-Norm,
//   arXiv
//               2412.21124): s / (theta^2 |mean gradient|^2) of this step, or with `unbiased` kappa s/a
//   static      options.batch
std::optional<double> wanted_batch(const ControlOptions& options, const Evidence& evidence);

// The interval of what is wanted, from that of the noise scale; absent for simigrad, static and the biased
// normtest.
std::optional<RatioInterval> wanted_interval(const ControlOptions& options, const Signal& signal);

}  // namespace mlq::simigrad
