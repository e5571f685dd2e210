#include "lib/tune/learn/features.h"

namespace mlq::tune {

Features::Features(const Space& space) : space_(&space) {
  for (size_t a = 0; a < space.dims(); ++a) {
    const Axis& axis = space.axes()[a];
    if (axis.values.size() < 2) continue;
    const size_t here = axes_.size();
    axes_.push_back(a);
    if (axis.ordered) {
      columns_.push_back({here, kOrdered, 1.0});
    } else {
      for (size_t k = 0; k < axis.values.size(); ++k)
        columns_.push_back({here, static_cast<int64_t>(k), 0.5});
    }
    if (axis.when) columns_.push_back({here, kActive, 1.0});
  }
  const auto points = space.points();
  if (points.empty() || points.size() > kMostKept) return;
  std::vector<double> kept(columns() * points.size()), x(columns());
  for (size_t p = 0; p < points.size(); ++p) {
    compute(points[p], x);
    for (size_t c = 0; c < columns(); ++c) kept[c * points.size() + p] = x[c];
  }
  kept_ = std::move(kept);
}

void Features::encode(PointId point, std::span<double> x) const {
  if (!kept()) return compute(point, x);
  const size_t p = space_->rank(point);
  for (size_t c = 0; c < columns(); ++c) x[c] = column(c)[p];
}

void Features::compute(PointId point, std::span<double> x) const {
  std::vector<double> encoded(space_->dims());
  space_->encode(point, encoded);
  for (size_t c = 0; c < columns(); ++c) {
    const size_t axis = axes_[columns_[c].axis];
    const bool needs_active = space_->axes()[axis].when.has_value() && columns_[c].step != kOrdered;
    const bool active = !needs_active || space_->active(point, axis);
    if (columns_[c].step == kOrdered) x[c] = encoded[axis];
    if (columns_[c].step == kActive) x[c] = active ? 1.0 : 0.0;
    if (columns_[c].step >= 0)
      x[c] = active && space_->step(point, axis) == static_cast<uint64_t>(columns_[c].step) ? 1.0 : 0.0;
  }
}

}  // namespace mlq::tune
