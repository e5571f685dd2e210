// Named values with intervals, a row each, for a picture whose y axis has rows.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/plot/picture.h"

namespace mlq::plot {

// The first 400 are kept. Not thread-safe.
class Rows {
 public:
  static constexpr size_t kMost = 400;

  // `value.x` with its interval; y is not looked at.
  void add(std::string name, Point value) {
    if (rows_.size() < kMost) rows_.emplace_back(std::move(name), value);
  }
  bool empty() const { return rows_.empty(); }
  // Adds a curve of points, if there are any, and the rows that the picture has not.
  void draw(const std::string& label, Picture& into) const;
  void sort_by_name();

 private:
  std::vector<std::pair<std::string, Point>> rows_;
};

}  // namespace mlq::plot
