// Gram records for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/records/simigrad.h"
#include "lib/simigrad/estimate/observation.h"
#include "lib/simigrad/synth/gram_law.h"

namespace mlq::simigrad::test {

inline records::Gram gram_of(uint64_t batch, uint64_t groups, std::vector<double> lower, uint64_t step = 0) {
  records::Gram g;
  g.step = step;
  g.batch_samples = batch;
  g.groups = groups;
  g.gram = std::move(lower);
  return g;
}

// The observation of a record that must be good.
inline Observation observed(const records::Gram& gram, const ObservationOptions& options = {}) {
  Observation o;
  const auto refusal = observe(gram, options, o);
  EXPECT_FALSE(refusal.has_value()) << refusal->message;
  return o;
}

// Two halves with this cosine.
inline Observation with_cos(double cos, uint64_t batch, uint64_t step) {
  records::Gram gram = gram_of(batch, 2, {1, cos, 1}, step);
  gram.group_samples = {batch / 2, batch - batch / 2};
  return observed(gram);
}

}  // namespace mlq::simigrad::test
