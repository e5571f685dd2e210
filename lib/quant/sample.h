// A sample of a tensor's values, and what a format makes of it. Internal to lib/quant.
#pragma once

#include <vector>

#include "lib/quant/plan.h"

namespace mlq::quant {

// Up to kSampleElems elements, in runs at equal distances; F64 as f32.
struct Sample {
  Float type = Float::f32;
  uint64_t elems = 0;
  std::vector<std::byte> values;
  double energy = 0;  // sum of squares
};
Sample take_sample(const tensorfile::Source& source, size_t index, Worker& worker);

// Bits a weight and squared error of the sample in that format, planes compressed where the spec says so. For
// ec, spec.step is set.
Candidate try_format(const Sample& sample, const Spec& spec, Worker& worker);
// ec at `count` signal-to-noise ratios, `spacing` dB from one to the next.
std::vector<Candidate> try_steps(const Sample& sample, double first_db, double spacing_db, int count,
                                 Worker& worker);

}  // namespace mlq::quant
