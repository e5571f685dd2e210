// What is counted over the pieces of one tensor, in the order of its elements whatever the order in which
// they were done.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/sums.h"
#include "lib/quant/tree_hash.h"

namespace mlq::quant {

// Of one piece.
struct PieceTotals {
  std::vector<uint8_t> source_leaves, decoded_leaves;  // digests of 64 KiB leaves (kernels/xxh3_leaves.h)
  std::vector<kernels::ErrorSums> errors;
  kernels::EncodeCounts counts;
  uint64_t saturated = 0;
  uint64_t escapes = 0;
};

// add() is thread-safe; the results are for when all pieces are added.
class TensorTotals {
 public:
  void add(size_t piece, PieceTotals totals);
  // Gives the memory back; nothing is left.
  void clear();

  Digest source_hash() const { return tensor_hash(source_leaves_); }
  Digest decoded_hash() const { return tensor_hash(decoded_leaves_); }
  const kernels::EncodeCounts& counts() const { return counts_; }
  kernels::EncodeCounts& counts() { return counts_; }
  uint64_t saturated() const { return saturated_; }
  uint64_t escapes() const { return escapes_; }

  // Sums over all elements that were compared; `elems` of them.
  struct Error {
    double rms = 0, absmax = 0;
    double rmse = 0, rel_rmse = 0, snr_db = 0, bias = 0, max_abs_err = 0;  // rel_rmse: 0 / 0 is 0
    double signal = 0, noise = 0;                                          // energies
  };
  Error error(uint64_t elems) const;

 private:
  void merge(PieceTotals& totals);

  std::mutex mutex_;
  size_t next_ = 0;
  std::map<size_t, PieceTotals> early_;
  std::vector<uint8_t> source_leaves_, decoded_leaves_;
  kernels::ErrorSums sums_;
  kernels::EncodeCounts counts_;
  uint64_t saturated_ = 0, escapes_ = 0;
};

}  // namespace mlq::quant
