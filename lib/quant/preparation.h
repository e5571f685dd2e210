// What a format has to know of a whole tensor before the first piece of it can be encoded: its extreme value,
// its double quantised scales, the step that meets an error budget. Asked of the caller as passes over the
// tensor.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/sums.h"
#include "lib/quant/coding.h"
#include "lib/quant/decibel.h"

namespace mlq::quant {

// What ec's step is chosen by, if not given. At most one is set.
struct ErrorBudget {
  std::optional<double> snr_db;  // of each tensor
  std::optional<double> rmse;    // root mean square error of each tensor, in units of the weights
};

// A decibel value is met from the budget to this much above it.
inline constexpr double kSnrSlackDb = 0.1;
// Elements of a tensor by which steps are found and plans are made; taken at equal distances.
inline constexpr uint64_t kSampleElems = uint64_t{1} << 20;
constexpr uint64_t sample_stride(uint64_t elems) {
  return elems / kSampleElems + (elems % kSampleElems != 0 ? 1 : 0);
}

// Passes 0 ... passes() - 1, each over all pieces of the tensor in any order and by any thread, then
// coding(). The pieces are the same in each pass. The result does not depend on threads or on how the tensor
// is cut.
class Preparation {
 public:
  // `pieces`: how many there are.
  Preparation(const Spec& spec, Float source, const Shape2d& shape, const ErrorBudget& budget, size_t pieces);
  ~Preparation();
  Preparation(Preparation&&) noexcept;

  // May grow when a pass ends.
  unsigned passes() const;
  // Thread-safe for different pieces. `x`: range.count of the source.
  void collect(unsigned pass, size_t piece, const Range& range, const void* x);
  // After the last piece of a pass.
  void end_pass(unsigned pass);
  // Settled.
  const Coding& coding() const;
  // What the tensor's scale, if it has one, did on the way: overflow, flush.
  const kernels::EncodeCounts& counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mlq::quant
