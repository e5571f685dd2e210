// How batch sizes are decided: everything that changes a decision.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/simigrad/estimate/estimator.h"
#include "lib/simigrad/estimate/target.h"

namespace mlq::simigrad {

enum class Controller { simigrad, ratio, sqrt_noise, normtest, static_batch };
std::string_view name_of(Controller controller);
// A usage Error that names those that there are.
Controller parse_controller(std::string_view text);
// Whether it steers to a target.
bool has_target(Controller controller);

// What the learning rate is multiplied by when the batch is B in place of B0.
enum class LrRule { sqrt, linear, gain, none };

// Batches that may be chosen, beside the multiples of a granule.
struct Ladder {
  enum class Kind {
    none,
    pow2,            // granule times a power of two
    integer_factor,  // multiples and whole parts of the present batch
    list,
  };
  Kind kind = Kind::none;
  std::vector<uint64_t> batches;  // of list, rising
};
// `pow2`, `integer-factor`, or the path of a file with a batch size a line (`#` begins a comment). An input
// Error names the line.
Ladder parse_ladder(std::string_view text);

struct ControlOptions {
  Controller controller = Controller::ratio;
  std::optional<Target> target;
  EstimatorOptions estimating;
  std::optional<uint64_t> base_batch;  // B0 of lr_scale and gain; else the first batch

  uint64_t min = 1;
  std::optional<uint64_t> max;  // else kMaxOverFirst times the first batch
  uint64_t multiple = 1;
  std::optional<uint64_t> micro, workers, max_micro;
  Ladder ladder;
  bool monotone = false;

  uint64_t warmup_steps = 5;  // valid steps before the first move
  uint64_t interval = 1;      // steps between decisions
  uint64_t cooldown = 0;      // steps after a move in which there is no other
  double max_step = 4;        // largest factor of a move, of ratio and sqrt-noise; at least 1
  bool deadband = false;      // move only when the interval excludes the present batch

  LrRule lr_rule = LrRule::sqrt;
  double lr_damp = 1;

  uint64_t smooth = 0;    // simigrad: cosines whose mean is taken; 0 is the last alone
  double gain = 0.1;      // simigrad: by how much a move changes the batch
  double step_cost = 0;   // sqrt-noise: fixed cost of a step, in samples
  bool unbiased = false;  // normtest: with the unbiased estimates
  uint64_t batch = 0;     // static
};

constexpr uint64_t kMaxOverFirst = 64;

// A usage Error for what is missing, out of range or contradicts itself.
void validate(const ControlOptions& options);

// `name=value` of every option that changes decisions, in a fixed order, with spaces between.
std::string canonical(const ControlOptions& options);
// The first name whose value differs between two canonical texts, as `name: a here, b there`; empty if they
// are the same.
std::string first_difference(std::string_view here, std::string_view there);

}  // namespace mlq::simigrad
