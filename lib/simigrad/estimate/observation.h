// What one gram record says of one step: a pair of unbiased estimates and a cosine.
//
// K disjoint groups of n_i samples with mean gradients g_i, M_ij = g_i . g_j, B = sum n_i. G is the true
// gradient and Sigma the covariance of a sample's gradient. Then
//   a = sum_{i!=j} n_i n_j M_ij / sum_{i!=j} n_i n_j    estimates |G|^2,
//   s = sum_i n_i |g_i - mean|^2 / (K - 1)              estimates tr Sigma,
// for every K the estimators of McCandlish, Kaplan, Amodei, An Empirical Model of Large-Batch Training (arXiv
// 1812.06162, appendix A.1) with B_small = n and B_big = B.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/jsonl/object.h"
#include "lib/records/simigrad.h"

namespace mlq::simigrad {

// Which groups are the two halves whose cosine is taken: by the parity of their number, or the first half and
// the second. The published rule knows both (rank parity; halves of the ranks).
enum class Halves { parity, split };

struct ObservationOptions {
  Halves halves = Halves::parity;
  // Samples in the set that batches are drawn from without replacement; 0: drawn with replacement.
  uint64_t population = 0;
};

struct Observation {
  uint64_t incarnation = 0;
  uint64_t step = 0;
  uint64_t batch_samples = 0;
  uint64_t groups = 0;
  double a = 0;             // of unscaled gradients; NaN if there is none
  double s = 0;             // samples x square of a gradient; NaN with a
  double cos = 0;           // NaN where groups are odd in number, given by norms, or zero
  double mean_norm_sq = 0;  // |mean gradient|^2; NaN with a non-finite step
  bool identical = false;   // two groups have the same gradient in all bits: not two draws
  std::string_view note;    // why a or cos is missing; a literal

  // Whether it may enter an estimate.
  bool valid() const;
};

// What is wrong with a record, as a request's reply names it.
enum class Fault { missing_field, bad_field, group_mismatch };
std::string_view name_of(Fault fault);

struct Refusal {
  Fault fault = Fault::bad_field;
  std::string message;
};

// A record whose sums are there as null is of a non-finite step, whether or not it says so in `nonfinite`.
void take_null_sums(std::span<const jsonl::Member> members, records::Gram& gram);

// The observation in `out`, or why there is none. Never throws; no state.
std::optional<Refusal> observe(const records::Gram& gram, const ObservationOptions& options,
                               Observation& out);

}  // namespace mlq::simigrad
