// A recorded run as a plant on which other policies are tried.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/simigrad.h"
#include "lib/simigrad/estimate/estimator.h"

namespace mlq::simigrad {

// A measured step and the steps until the next one.
struct Moment {
  Observation observation;
  Signal signal;         // what was known after it
  double b_simple = 0;   // samples; the last that was positive, or the first that will be
  uint64_t steps = 1;    // for which it stands
  uint64_t samples = 0;  // before it
  double progress = 0;   // before it
};

// Progress is tau = sum 1 / (1 + B_simple/B): a step's share of what a step without noise would do
// (McCandlish et al., arXiv 1812.06162, section 2.2).
struct Recording {
  std::vector<Moment> moments;
  uint64_t cadence = 1;  // steps from one measurement to the next, most often
  uint64_t steps = 0;
  uint64_t samples = 0;
  double progress = 0;
};

// An input Error, `name: ...`, for a record that cannot be, and where no step has a positive estimate of
// |G|^2.
Recording make_recording(const std::vector<records::Gram>& run, const EstimatorOptions& options,
                         const std::string& name);

}  // namespace mlq::simigrad
