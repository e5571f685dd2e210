// Random draws of one trial, one after the other: whatever a tuner draws for trial i depends on the seed, on
// what the draws are for and on i alone, so that a resumed search makes the decisions of an unbroken one.
#pragma once

#include <cstdint>

#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::tune {

// Not thread-safe; cheap to make.
class Draws {
 public:
  Draws(uint64_t seed, Purpose purpose, uint64_t index, uint32_t stream = 0)
      : random_(seed, purpose), index_(index), stream_(stream) {}

  double uniform() {  // in (0, 1)
    if (draw_ % 2 == 0) pair_ = random_.uniforms(index_, draw_ / 2, stream_);
    return draw_++ % 2 == 0 ? pair_.a : pair_.b;
  }
  double normal() { return fmath::normal_quantile(uniform()); }
  // From 0 to n - 1; n > 0.
  uint64_t below(uint64_t n) {
    const auto k = static_cast<uint64_t>(uniform() * static_cast<double>(n));
    return k < n ? k : n - 1;
  }

 private:
  RandomStream random_;
  uint64_t index_;
  uint32_t stream_;
  uint32_t draw_ = 0;
  UniformPair pair_{};
};

}  // namespace mlq::tune
