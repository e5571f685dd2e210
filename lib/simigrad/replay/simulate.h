// A policy on a recorded run: what it would have decided, if progress is what recording.h says.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "lib/records/simigrad.h"
#include "lib/simigrad/control/steering.h"
#include "lib/simigrad/replay/recording.h"

namespace mlq::simigrad {

// Which moment of the recording a simulated step meets.
enum class Axis {
  progress,  // the one with the same progress
  steps,     // the one with the same number of steps before it
  samples,   // none is simulated: the recorded steps as they were, laid out over the recorded samples
};

// Samples that were trained with one batch size.
struct Stretch {
  uint64_t samples = 0;
  uint64_t batch = 0;
  double lr_scale = 1;  // mean over the samples
};

struct PolicyRun {
  std::vector<Stretch> stretches;  // neighbours have different batches
  uint64_t steps = 0;
  uint64_t samples = 0;
  bool whole = true;  // false if it was given up after kMostSteps
};
constexpr uint64_t kMostSteps = 10'000'000;

struct SimulationOptions {
  Axis axis = Axis::progress;
  // Adds sampling noise to what is met, with the variances of Gaussian gradients: Var(a) = 4 G'Sigma G/B +
  // 2K/(K-1) tr(Sigma^2)/B^2 and rel.var(s) = 2/((K-1) d_eff), where d_eff was estimated, and G'Sigma G =
  // |G|^2 tr(Sigma)/d_eff, as for isotropic noise.
  bool noise = false;
  uint64_t seed = 1;
};

// Each decision goes to `each`, if there is one. The first batch is the recording's first.
PolicyRun simulate(const Recording& recording, const ControlOptions& control,
                   const SimulationOptions& options,
                   const std::function<void(const records::BatchSize&)>& each = {});

}  // namespace mlq::simigrad
