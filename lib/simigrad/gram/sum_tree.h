// Sums of sums in the tree of kernels/gram_block.h, one after another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mlq::simigrad {

// Adds vectors of `width` numbers like a binary counter: neighbours first, so that n of them are split at the
// largest power of two below n. Holds log2 n partial sums. Not thread-safe.
class SumTree {
 public:
  explicit SumTree(size_t width) : width_(width) {}
  // `sums` has `width` numbers.
  void add(std::span<const double> sums);
  uint64_t count() const { return count_; }
  // The sum of all; zeros if there are none.
  std::vector<double> total() const;

 private:
  size_t width_;
  uint64_t count_ = 0;
  std::vector<std::vector<double>> waiting_;  // level l: of 2^l, if bit l of count_ is set
};

}  // namespace mlq::simigrad
