// The estimators of the table mode `rrl`: a network over configuration and load.
#pragma once

#include <memory>

#include "lib/tune/learn/mlp_ftrl.h"
#include "lib/tune/tuner/rrl_table.h"

namespace mlq::tune {

// As in the published script: inputs are the mean gap in seconds and the steps of the knobs as they are,
// targets milliseconds; the network is made anew from random weights for every estimate and trained on all
// rows at once until its loss no longer falls.
struct PublishedTraining {
  MlpFtrlSettings network{.rate = 0.7, .zero_z = true};
  uint32_t look_every = 100;  // steps between two looks at the loss
  uint32_t patience = 10;     // looks without a new best
  uint32_t most_steps = 30'000;
};
std::unique_ptr<TableEstimator> make_published_estimator(const PublishedTraining& training, uint64_t seed,
                                                         const Space& space);

// The same network in order: inputs in [0, 1] and the rate in octaves from the first row's, targets ln cost
// less the first row's, FTRL that keeps its random start; it goes on learning from trial to trial, 200 steps
// of 32 rows each.
std::unique_ptr<TableEstimator> make_warm_estimator(const MlpFtrlSettings& network, uint64_t seed,
                                                    const Space& space);

// Mean latency of an episode as the published script takes it: of 100 requests the first 99, for its slice
// drops the last. 0 if there is but one.
double published_episode_mean_ns(std::span<const int64_t> latencies_ns);

}  // namespace mlq::tune
