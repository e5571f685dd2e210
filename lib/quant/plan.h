// A format for each tensor under one budget for all of them.
//
// Every candidate's size and error are measured on a sample of the tensor: up to 2^20 elements, in runs at
// equal distances. What is made small is the weighted squared error under the number of bits, or the bits
// under the error. Only candidates on the lower convex hull of a tensor's points (bits, error) can be chosen;
// a slope common to all tensors picks one each (Shoham, Gersho, "Efficient bit allocation for an arbitrary
// set of quantizers", 1988), and what is left of the budget goes to the steps that gain most a bit.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/quant/encode.h"

namespace mlq::quant {

// What a unit of a tensor's squared error counts: 1 over its mean square, 1, or as given by name (others 1).
enum class Objective : uint8_t { relative, absolute };

struct PlanBudget {
  std::optional<double> bits;    // a weight, of all selected tensors together
  std::optional<double> snr_db;  // weighted energy over weighted error, of all together
  std::optional<double> rmse;    // root mean square error of all of them together
};

struct PlanOptions {
  PlanBudget budget;  // one is set
  Objective objective = Objective::relative;
  std::map<std::string, double> importance;  // instead of the objective's weights
  std::vector<Format> formats;               // candidates; none: ec, the integers and raw
  Selection selection;
  Resources resources;
};

// One candidate of one tensor, as measured.
struct Candidate {
  Spec spec;
  double bits_per_weight = 0;
  double noise = 0;  // squared error of the whole tensor, as the sample has it
};

struct PlannedTensor {
  tensorfile::TensorInfo info;
  Candidate chosen;
  double energy = 0;  // sum of squares of the whole tensor, as the sample has it
  double weight = 0;
  double slope = 0;  // weighted error that one more bit would have saved; 0 at the end of the hull
  std::string why_raw;
};

struct Plan {
  std::vector<PlannedTensor> tensors;  // in the order of the source, those that are not selected too
  double bits_per_weight = 0;          // of the selected
  double snr_db = 0;                   // unweighted
  bool interrupted = false;
};

// An Error `answer_no` if no choice meets the budget; it says what the nearest would be.
Plan make_plan(const tensorfile::Source& source, const PlanOptions& options);

// The choice itself: points of each tensor, weights; returns which candidate each gets. Nothing where the
// budget cannot be met. `limit` is of the bits of all (by_bits) or of the weighted error.
struct Point {
  double bits = 0;   // of the whole tensor
  double error = 0;  // weighted, of the whole tensor
};
std::optional<std::vector<size_t>> allocate(std::span<const std::vector<Point>> tensors, double limit,
                                            bool by_bits);

// The signal-to-noise ratio that all tensors coded with ec can have in so many bits a weight together. An
// Error `answer_no` outside what ec is measured at.
double snr_for_bits(const tensorfile::Source& source, const EncodeOptions& options, double bits_per_weight);

}  // namespace mlq::quant
