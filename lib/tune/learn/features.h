// Points as numbers for models. A column for each ordered axis of more than one value (its encoding in
// [0, 1]), one for each value of an unordered axis (1 for the point's, 0 for the others), and one for each
// conditional axis (1 if it is active). Squared distances that weigh the columns of an unordered axis by 1/2
// are Hamming's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/tune/space/space.h"

namespace mlq::tune {

// Immutable; any thread. The space must outlive it.
class Features {
 public:
  // Valid points of grids with at most so many are encoded once.
  static constexpr size_t kMostKept = 200'000;

  explicit Features(const Space& space);

  const Space& space() const { return *space_; }
  size_t columns() const { return columns_.size(); }
  // Axes that have columns are numbered anew, from 0.
  size_t axes() const { return axes_.size(); }
  size_t axis_of(size_t column) const { return columns_[column].axis; }
  double weight(size_t column) const { return columns_[column].weight; }
  // The number in Space::axes() of an axis that has columns.
  size_t space_axis(size_t axis) const { return axes_[axis]; }

  // columns() numbers.
  void encode(PointId point, std::span<double> x) const;

  // All valid points, column after column, each of space().points().size() numbers; empty if they were not
  // kept.
  bool kept() const { return !kept_.empty(); }
  const double* column(size_t c) const { return kept_.data() + c * space_->points().size(); }

 private:
  static constexpr int64_t kOrdered = -1, kActive = -2;
  struct Column {
    size_t axis;    // among those that have columns
    int64_t step;   // of an unordered axis, or one of the above
    double weight;  // in squared distances
  };
  void compute(PointId point, std::span<double> x) const;

  const Space* space_;
  std::vector<size_t> axes_;
  std::vector<Column> columns_;
  std::vector<double> kept_;
};

}  // namespace mlq::tune
