#include "lib/replay/lag_drift.h"

#include <algorithm>

namespace mlq::replay {
namespace {

constexpr size_t kMostBlocks = 256;
constexpr size_t kFewestBlocks = 8;
constexpr double kNsPerMin = 60e9;

}  // namespace

void LagDrift::fold() {
  for (size_t b = 0; b < kMostBlocks / 2; ++b) {
    const Block& one = blocks_[2 * b];
    const Block& two = blocks_[2 * b + 1];
    blocks_[b] = one.lag_ns <= two.lag_ns ? one : two;
  }
  blocks_.resize(kMostBlocks / 2);
  block_size_ *= 2;
}

void LagDrift::add(int64_t due_ns, int64_t lag_ns) {
  if (in_current_ == 0 || lag_ns < current_.lag_ns) current_ = {due_ns, lag_ns};
  if (++in_current_ < block_size_) return;
  in_current_ = 0;
  blocks_.push_back(current_);
  if (blocks_.size() == kMostBlocks) fold();
}

std::optional<double> LagDrift::ns_per_min() const {
  if (blocks_.size() < kFewestBlocks) return std::nullopt;
  const double n = static_cast<double>(blocks_.size());
  double mean_x = 0;
  double mean_y = 0;
  for (const Block& b : blocks_) {
    mean_x += static_cast<double>(b.due_ns) / n;
    mean_y += static_cast<double>(b.lag_ns) / n;
  }
  double xx = 0;
  double xy = 0;
  for (const Block& b : blocks_) {
    const double x = static_cast<double>(b.due_ns) - mean_x;
    xx += x * x;
    xy += x * (static_cast<double>(b.lag_ns) - mean_y);
  }
  if (xx == 0) return std::nullopt;
  return xy / xx * kNsPerMin;
}

}  // namespace mlq::replay
