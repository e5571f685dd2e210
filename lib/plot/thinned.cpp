#include "lib/plot/thinned.h"

#include <algorithm>
#include <cmath>

namespace mlq::plot {
namespace {

// Both ends, or NaN where one of the points has none.
double lower(double a, double b) { return std::isnan(a) || std::isnan(b) ? kNone : std::min(a, b); }
double upper(double a, double b) { return std::isnan(a) || std::isnan(b) ? kNone : std::max(a, b); }

}  // namespace

void Thinned::Stretch::merge(const Stretch& later) {
  const double lo = lower(low.lo, later.low.lo), hi = upper(low.hi, later.low.hi);
  const bool lower_later = later.low.y<low.y, higher_later = later.high.y> high.y;
  if (lower_later && higher_later)
    low_first = later.low_first;
  else if (lower_later || higher_later)
    low_first = higher_later;
  if (lower_later) low = later.low;
  if (higher_later) high = later.high;
  low.lo = high.lo = lo;
  low.hi = high.hi = hi;
  count += later.count;
}

void Thinned::halve() {
  const size_t n = stretches_.size();
  for (size_t i = 0; i < n; i += 2) {
    Stretch pair = stretches_[i];
    if (i + 1 < n) pair.merge(stretches_[i + 1]);
    stretches_[i / 2] = pair;
  }
  stretches_.resize((n + 1) / 2);
  length_ *= 2;
}

void Thinned::add(const Point& point) {
  if (!std::isfinite(point.y) || !std::isfinite(point.x)) return;
  const Stretch one{point, point, true, 1};
  if (!stretches_.empty() && stretches_.back().count < length_) {
    stretches_.back().merge(one);
  } else {
    if (stretches_.size() == kMost) halve();
    if (!stretches_.empty() && stretches_.back().count < length_)
      stretches_.back().merge(one);
    else
      stretches_.push_back(one);
  }
  ++count_;
}

std::vector<Point> Thinned::points() const {
  std::vector<Point> out;
  for (const Stretch& s : stretches_) {
    out.push_back(s.low_first ? s.low : s.high);
    if (s.low.y != s.high.y) out.push_back(s.low_first ? s.high : s.low);
  }
  return out;
}

void add_series(const Thinned& series, Shape shape, const std::string& label, Picture& into) {
  if (series.count() > 0) into.curves.push_back({label, shape, series.points()});
}

}  // namespace mlq::plot
