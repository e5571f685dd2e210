// The rule of SimiGrad as its authors' engine has it (Qin et al., NeurIPS 2021), to the integer.
#pragma once

#include <cstdint>
#include <optional>

namespace mlq::simigrad {

// The next batch before bounds: 11 B / 10 or 9 B / 10, rounded down, but moved by 1 at least and never below
// 1; B where cos is the target or no number. With another `gain` than 0.1 the factors are 1 + gain and 1 -
// gain in doubles. Integers give what the engine's int(B * 1.1) and int(B * 0.9) give for every B below
// 5,000,000.
uint64_t published_step(uint64_t batch, double cos, double target, double gain);

// How N workers realise a batch: micro-batch times accumulation.
struct Realised {
  uint64_t micro = 1;
  uint64_t accum = 1;
  uint64_t batch(uint64_t workers) const { return workers * micro * accum; }
};

// The second generation of the engine: `wanted` != `present`, the batch now realised by micro-batch `micro`.
// Growing raises the micro-batch first, up to `max_micro` if there is one, and the accumulation by one where
// rounding would have swallowed the move; shrinking keeps the micro-batch.
Realised published_realisation(uint64_t wanted, uint64_t present, uint64_t workers, uint64_t micro,
                               std::optional<uint64_t> max_micro);

}  // namespace mlq::simigrad
