#include "lib/plot/picture.h"

#include <algorithm>
#include <cmath>

namespace mlq::plot {

size_t Picture::row(const std::string& name) {
  const auto found = std::find(y.rows.begin(), y.rows.end(), name);
  if (found == y.rows.end()) {
    y.rows.push_back(name);
    return y.rows.size() - 1;
  }
  return static_cast<size_t>(found - y.rows.begin());
}

bool Picture::shows(const Curve& curve) const {
  return std::any_of(curve.points.begin(), curve.points.end(), [&](const Point& p) {
    const bool drawn_x = std::isfinite(p.x) && (!x.logarithmic || p.x > 0);
    return drawn_x && std::isfinite(p.y) && (!y.logarithmic || p.y > 0);
  });
}

bool Picture::empty() const {
  return std::none_of(curves.begin(), curves.end(), [&](const Curve& curve) { return shows(curve); });
}

}  // namespace mlq::plot
