#include "lib/simigrad/gram/sum_tree.h"

namespace mlq::simigrad {
namespace {

// What came earlier stands on the left.
void add_earlier(const std::vector<double>& earlier, std::vector<double>& sums) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] = earlier[i] + sums[i];
}

}  // namespace

void SumTree::add(std::span<const double> sums) {
  std::vector<double> carried(sums.begin(), sums.end());
  size_t level = 0;
  for (; count_ >> level & 1U; ++level) add_earlier(waiting_[level], carried);
  if (level == waiting_.size()) waiting_.emplace_back();
  waiting_[level] = std::move(carried);
  ++count_;
}

std::vector<double> SumTree::total() const {
  std::vector<double> sums;
  for (size_t level = 0; level < waiting_.size(); ++level) {
    if (!(count_ >> level & 1U)) continue;
    if (sums.empty()) {
      sums = waiting_[level];
    } else {
      add_earlier(waiting_[level], sums);
    }
  }
  if (sums.empty()) sums.assign(width_, 0.0);
  return sums;
}

}  // namespace mlq::simigrad
