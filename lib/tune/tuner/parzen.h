// Tree-structured Parzen estimators over the steps of one axis (Bergstra et al., NIPS'11, with the choices of
// Optuna 3: optuna/samplers/_tpe/parzen_estimator.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlq::tune {

// Share of the trials that are the good ones: min(ceil(0.1 n), 25).
size_t parzen_good(size_t n);

// Weights of n trials in the order of their times, and of the prior, which is last: the latest 25 and the
// prior weigh 1, those before rise evenly from 1/n. Their sum is 1.
std::vector<double> parzen_weights(size_t n);

// Widths of the kernels at `steps` and of the prior, which is last. `dims` = 0: each kernel reaches to its
// farther neighbour, the prior's middle among them, and at the ends of the row to its only one; otherwise
// (multivariate, over so many knobs) all have 0.2 n^(-1 / (dims + 4)) of the range. At least
// range / min(100, 1 + kernels), at most the range; the prior has the range.
std::vector<double> parzen_widths(std::span<const uint32_t> steps, size_t values, size_t dims);

// Probabilities of each step of an axis under each kernel: kernels x values, the prior's row last. Ordered: a
// normal around the kernel's step, cut off at half a step beyond the ends. Unordered: 1 at the kernel's
// value and 1 / kernels at all, made to a sum of 1.
std::vector<double> parzen_kernels(std::span<const uint32_t> steps, size_t values, bool ordered, size_t dims);

}  // namespace mlq::tune
