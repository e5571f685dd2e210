#include "lib/replay/distribution.h"

namespace mlq::replay {

void Distribution::fold() {
  folded_.push_back(histogram());
  listed_ = {};
}

stats::Histogram Distribution::histogram() const {
  if (!folded_.empty()) return folded_.front();
  stats::Histogram histogram;
  for (const int64_t value : listed_) histogram.record(value);
  return histogram;
}

void Distribution::merge(const Distribution& other) {
  if (!other.folded_.empty()) return merge(other.folded_.front());
  for (const int64_t value : other.listed_) record(value);
}

void Distribution::merge(const stats::Histogram& other) {
  if (other.count() == 0) return;
  if (folded_.empty()) fold();
  folded_.front().merge(other);
}

}  // namespace mlq::replay
