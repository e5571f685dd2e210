#include "lib/quant/tensor_totals.h"

#include <algorithm>
#include <cmath>

#include "lib/quant/preparation.h"

namespace mlq::quant {

void TensorTotals::add(size_t piece, PieceTotals totals) {
  const std::lock_guard lock(mutex_);
  early_.emplace(piece, std::move(totals));
  for (auto it = early_.find(next_); it != early_.end(); it = early_.find(++next_)) {
    merge(it->second);
    early_.erase(it);
  }
}

void TensorTotals::clear() {
  source_leaves_ = {};
  decoded_leaves_ = {};
}

void TensorTotals::merge(PieceTotals& t) {
  source_leaves_.insert(source_leaves_.end(), t.source_leaves.begin(), t.source_leaves.end());
  decoded_leaves_.insert(decoded_leaves_.end(), t.decoded_leaves.begin(), t.decoded_leaves.end());
  for (const kernels::ErrorSums& group : t.errors) {
    sums_.x2 += group.x2;
    sums_.e1 += group.e1;
    sums_.e2 += group.e2;
    sums_.absmax = std::max(sums_.absmax, group.absmax);
    sums_.max_error = std::max(sums_.max_error, group.max_error);
  }
  counts_.nonfinite += t.counts.nonfinite;
  counts_.flushed_blocks += t.counts.flushed_blocks;
  counts_.scale_overflow += t.counts.scale_overflow;
  saturated_ += t.saturated;
  escapes_ += t.escapes;
}

TensorTotals::Error TensorTotals::error(uint64_t elems) const {
  Error error;
  if (elems == 0) return error;
  const auto n = static_cast<double>(elems);
  error.signal = sums_.x2;
  error.noise = sums_.e2;
  error.rms = std::sqrt(sums_.x2 / n);
  error.absmax = sums_.absmax;
  error.rmse = std::sqrt(sums_.e2 / n);
  error.bias = sums_.e1 / n;
  error.max_abs_err = sums_.max_error;
  error.snr_db = snr_db_of(sums_.x2, sums_.e2);
  error.rel_rmse = relative_error(sums_.x2, sums_.e2);
  return error;
}

}  // namespace mlq::quant
