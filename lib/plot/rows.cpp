#include "lib/plot/rows.h"

#include <algorithm>

namespace mlq::plot {

void Rows::draw(const std::string& label, Picture& into) const {
  if (rows_.empty()) return;
  Curve curve{label, Shape::points, {}};
  for (const auto& [name, value] : rows_) {
    curve.points.push_back(value);
    curve.points.back().y = static_cast<double>(into.row(name));
  }
  into.curves.push_back(std::move(curve));
}

void Rows::sort_by_name() {
  std::stable_sort(rows_.begin(), rows_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
}

}  // namespace mlq::plot
