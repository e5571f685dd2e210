// Gram records of Gaussian gradients whose noise scale is known, drawn without the gradients.
#pragma once

#include <cstdint>

#include "lib/records/simigrad.h"

namespace mlq::simigrad {

// The true gradient G has norm 1; the noise of a sample is normal with covariance (S/D) I on D coordinates,
// so that B_simple = S and d_eff = D. A group's mean gradient is x_i = G + sigma (z_i u + w_i) with sigma^2 =
// S / (D n), u the unit vector along G's part among these coordinates, c = G . u, z_i normal and w_i normal
// in the D - 1 coordinates beside u. The Gram matrix has then the joint law of the real one:
//   M_ij = 1 + c sigma (z_i + z_j) + sigma^2 (z_i z_j + W_ij),   W = (w_i . w_j),
// with W from the Wishart law of D - 1 degrees of freedom by its Bartlett factor (Bartlett 1933; chi variates
// by their quantile), or from the w_i themselves where D - 1 < K. Time and memory do not depend on D.
struct GramLaw {
  uint64_t groups = 2;     // K, 2 to 32
  uint64_t samples = 64;   // n, of a group
  double b_simple = 1000;  // S at the first step, above 0
  double growth = 1;       // S at the last step over S at the first, above 0
  uint64_t d_eff = 200;    // D
  double alignment =
      1;  // c: 1 for a gradient along e1; sqrt(D/P) for one that is the same in all P coordinates
  uint64_t steps = 100;
};

// The noise scale at a step below law.steps, in samples.
double b_simple_at(const GramLaw& law, uint64_t step);
// The record of a step below law.steps. The same bytes on every machine; a pure function, thread-safe.
records::Gram draw_gram(const GramLaw& law, uint64_t step, uint64_t seed);

}  // namespace mlq::simigrad
