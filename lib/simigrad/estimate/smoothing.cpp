#include "lib/simigrad/estimate/smoothing.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/fmath.h"

namespace mlq::simigrad {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kLn2 = 0x1.62e42fefa39efp-1;

double decay_of(const Smoothing& smoothing, uint64_t batch) {
  switch (smoothing.kind) {
    case Smoothing::Kind::ema:
      return smoothing.ema;
    case Smoothing::Kind::halflife:
      return fmath::exp(-kLn2 * static_cast<double>(batch) / smoothing.halflife);
    default:
      return 1;
  }
}

}  // namespace

void Window::push(const Observation& o) {
  if (points_.size() == 3 * kLongestWindow)
    points_.erase(points_.begin(), points_.begin() + static_cast<std::ptrdiff_t>(kLongestWindow));
  points_.push_back(
      {o.step, o.batch_samples, o.groups, o.a, o.s, o.cos, decay_of(smoothing_, o.batch_samples)});
  ++pushed_;
}

bool Window::rewind(uint64_t pushed) {
  const uint64_t first = pushed_ - points_.size();
  const uint64_t needed = pushed > kLongestWindow ? pushed - kLongestWindow : 0;
  if (pushed > pushed_ || first > needed) return false;
  points_.resize(pushed - first);
  pushed_ = pushed;
  return true;
}

std::span<const Point> Window::points() const {
  const size_t most = smoothing_.kind == Smoothing::Kind::window ? smoothing_.steps : kLongestWindow;
  const size_t available = std::min<size_t>(most, points_.size());
  size_t count = 0;
  // The newest counts in full; each older one by the decays of all that came after it.
  for (double weight = 1; count < available && weight >= kLeastWeight; ++count)
    weight *= points_[points_.size() - 1 - count].decay;
  return std::span(points_).last(count);
}

Moments moments(std::span<const Point> points) {
  Moments m;
  m.points = points.size();
  m.v_aa = m.v_ss = m.v_as = m.d_eff = kNone;
  double w1 = 0, w2 = 0, w3 = 0, a = 0, s = 0, per_group = 0;
  double weight = 1;
  for (size_t i = points.size(); i-- > 0;) {
    const Point& p = points[i];
    w1 += weight;
    w2 += weight * weight;
    w3 += weight * weight * weight;
    a += weight * p.a;
    s += weight * p.s;
    per_group += weight / static_cast<double>(p.groups - 1);
    weight *= p.decay;
  }
  m.a = points.empty() ? kNone : a / w1;
  m.s = points.empty() ? kNone : s / w1;
  if (points.empty()) return m;
  const double s2 = w2 / (w1 * w1);
  const double s3 = w3 / (w1 * w1 * w1);
  m.n_eff = 1 / s2;
  if (points.size() < 2) return m;
  double aa = 0, ss = 0, as = 0, scatter = 0;
  weight = 1;
  for (size_t i = points.size(); i-- > 0;) {
    const double u = points[i].a - m.a;
    const double v = points[i].s - m.s;
    const double w = weight / w1;
    aa += w * w * u * u;
    ss += w * w * v * v;
    as += w * w * u * v;
    scatter += w * v * v;
    weight *= points[i].decay;
  }
  const double correction = 1 - 2 * s3 / s2 + s2;
  m.v_aa = aa / correction;
  m.v_ss = ss / correction;
  m.v_as = as / correction;
  if (scatter > 0) m.d_eff = 2 * (per_group / w1) * m.s * m.s * (1 - s2) / scatter;
  return m;
}

}  // namespace mlq::simigrad
