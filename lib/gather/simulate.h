// Which ways of gathering are safe for given weights and updates: the gathers are done, on samples of the
// tensors, over a sequence of steps, and their errors stand beside what the laws of settings.h predict.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/gather/settings.h"
#include "lib/quant/schedule.h"
#include "lib/tensorfile/source.h"

namespace mlq::gather {

// The ways that are compared. `stochastic` rounds up or down at random with the weights' value as the mean;
// it is unbiased too, and there to be compared with.
enum class Rule : uint8_t { none, stochastic, dither, residual, delta };
std::string_view name_of(Rule rule);
Rule parse_rule(std::string_view text);

// Weights that change from step to step; step 0 first, each step once, in order.
class WeightWalk {
 public:
  virtual ~WeightWalk() = default;
  virtual uint64_t elems() const = 0;
  virtual uint64_t steps() const = 0;
  // The weights of the next step; the span is good until the next call.
  virtual std::span<const float> next() = 0;
};

// How weights move from step to step, in root mean squares of the first of them.
struct Moves {
  double update = 1e-3;  // spread of a step's update, which is normal
  double rho = 0;        // its correlation with the one before it (an AR(1) process; 0: white)
  double drift = 0;      // what every step adds to every weight beside it
};
// `start` and the steps that follow it, at random.
std::unique_ptr<WeightWalk> random_walk(std::vector<float> start, uint64_t steps, const Moves& moves,
                                        uint64_t seed);
// Given weights, one after the other.
std::unique_ptr<WeightWalk> given_walk(std::vector<std::vector<float>> weights);

struct SimulateOptions {
  std::vector<Rule> rules = {Rule::none, Rule::stochastic, Rule::dither, Rule::residual, Rule::delta};
  std::vector<unsigned> bits = {8, 4, 3, 2};
  std::vector<uint64_t> blocks = {64};
  std::optional<kernels::Grid> grid;  // else as default_settings() has it
  Float scale = Float::bf16;
  Float state = Float::bf16;
  unsigned strata = 8;
  ResidualType residual_type = ResidualType::f32;
  uint64_t seed = 1;
  // Safe is what errs by no more in one gather, and no more at the end than in the middle. By default a
  // quarter more than rounding to bf16 alone.
  double tolerance = 2.1e-3;
  const StopFlag* stop = nullptr;
};

struct Simulated {
  Rule rule = Rule::none;
  Settings settings;
  uint64_t elems = 0, steps = 0;
  double update_ratio = 0;  // of the root mean square of one update to that of the weights
  // Relative to the root mean square of the weights: of one gather, over the last quarter of the steps; of
  // the mean over all steps; and of one gather as the law has it.
  double inst_rel_rmse = 0, mean_rel_rmse = 0, predicted_rel_rmse = 0;
  double rel_bias = 0;  // mean error, with its sign, over the last quarter
  bool grows = false;   // the last quarter errs by over a tenth more than the one before it
  bool safe = false;
};

// One for each rule, number of bits and block, in this order. Fewer if it was stopped.
std::vector<Simulated> simulate(WeightWalk& walk, const SimulateOptions& options);

}  // namespace mlq::gather
