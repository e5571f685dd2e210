// Distances in a space: the nearest valid point to something, and regions.
#include <algorithm>
#include <limits>

#include "lib/tune/space/space.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {
namespace {

// Where a value stands on an ordered axis, in steps.
double place_of(const Axis& axis, const KnobValue& value) {
  const auto& values = axis.values;
  for (size_t s = 0; s < values.size(); ++s)
    if (same_value(values[s], value)) return static_cast<double>(s);
  if (!is_number(value) || !is_number(values[0])) return 0;
  const double v = number_of(value);
  const auto above = std::ranges::find_if(values, [&](const KnobValue& x) { return number_of(x) > v; });
  if (above == values.begin()) return 0;
  const auto s = static_cast<double>(above - values.begin() - 1);
  if (above == values.end()) return s;
  const double low = number_of(*(above - 1));
  return s + (v - low) / (number_of(*above) - low);
}

}  // namespace

double Space::cost(PointId point, const Costs& costs) const {
  double sum = 0;
  for (size_t a = 0; a < dims(); ++a) sum += costs[a][code(point, a)];
  return sum;
}

PointId Space::cheapest(const Costs& costs) const {
  if (!listed()) return cheapest_unlisted(costs);
  std::vector<double> sums(points_.size());
  for (size_t a = 0; a < dims(); ++a)
    for (size_t p = 0; p < sums.size(); ++p) sums[p] += costs[a][codes_[a][p]];
  return points_[static_cast<size_t>(std::ranges::min_element(sums) - sums.begin())];
}

// Downhill over neighbours, from the cheapest step of each axis if that is valid, else from the best of many
// points.
PointId Space::cheapest_unlisted(const Costs& costs) const {
  std::vector<uint32_t> steps(dims());
  for (size_t a = 0; a < dims(); ++a)
    steps[a] =
        static_cast<uint32_t>(std::min_element(costs[a].begin(), costs[a].end() - 1) - costs[a].begin());
  PointId best = canonical(point_of(steps));
  if (!valid(best)) {
    best = known_valid_;
    Draws draws(0, Purpose::design, 1);
    for (int k = 0; k < 1000; ++k)
      if (const PointId other = draw(draws); cost(other, costs) < cost(best, costs)) best = other;
  }
  for (bool better = true; better;) {
    better = false;
    for (const PointId to : neighbours(best))
      if (cost(to, costs) < cost(best, costs)) {
        best = to;
        better = true;
      }
  }
  return best;
}

PointId Space::middle() const {
  // An inactive knob counts as its first value: otherwise it would pass as a middle one. Twice the distance,
  // in whole numbers over n - 1, so that two middle steps are equally far.
  Costs costs(dims());
  for (size_t a = 0; a < dims(); ++a) {
    const double last = size_of(a) - 1;
    for (uint32_t c = 0; c <= size_of(a); ++c) {
      const double d = last == 0 ? 0 : (2.0 * (c == inactive_code(a) ? 0 : c) - last) / last;
      costs[a].push_back(axes_[a].ordered ? d * d : 0);
    }
  }
  return cheapest(costs);
}

PointId Space::nearest(const Config& config) const {
  if (const auto point = find(config)) return *point;
  std::vector<KnobValue> values;
  for (const Axis& axis : axes_) {
    const auto at = std::ranges::find(config, axis.name, &Config::value_type::first);
    values.push_back(at == config.end() ? axis.values[0] : at->second);
  }
  // Which knobs are active is asked of the values as they are, on the grid or not.
  Scene s = scene();
  for (const uint32_t k : order_) {
    if (k < dims()) {
      const bool active = !when_[k] || when_[k]->holds(s.values);
      s.values[k] = active ? scalar_of(values[k]) : scalars_[k][0];
      s.codes[k] = active ? 0 : inactive_code(k);
    } else {
      const Bound& formula = formulas_[k - dims()];
      s.values[k] = formula.expression.evaluate(s.values, formula.slots);
    }
  }
  Costs costs(dims());
  for (size_t a = 0; a < dims(); ++a) {
    const bool inactive = s.codes[a] == inactive_code(a);
    const double n = size_of(a);
    const double x = inactive || size_of(a) == 1 ? 0.5 : place_of(axes_[a], values[a]) / (n - 1);
    for (uint32_t c = 0; c <= size_of(a); ++c) {
      const bool both = inactive == (c == inactive_code(a));
      const bool same = both && (inactive || same_value(axes_[a].values[c], values[a]));
      const double d = coordinates_[a][c] - x;
      costs[a].push_back(axes_[a].ordered ? d * d : same ? 0 : 1);
    }
  }
  return cheapest(costs);
}

RegionMetric::RegionMetric(const Space& space, std::span<const double> weights) : space_(space) {
  for (size_t a = 0; a < space.dims(); ++a) {
    const double steps = space.size_of(a) - 1;
    const double s = space.axes_[a].ordered ? std::min(1.0, 0.3 * steps) : 0.3;
    scale_.push_back(s / (weights.empty() ? 1.0 : weights[a]));
  }
}

double RegionMetric::part2(size_t axis, uint32_t x, uint32_t c) const {
  const auto& at = space_.coordinates_[axis];
  const double d = space_.axes_[axis].ordered ? at[x] - at[c] : x != c ? 1.0 : 0.0;
  return (scale_[axis] * d) * (scale_[axis] * d);
}

double RegionMetric::distance2(PointId x, PointId c) const {
  double sum = 0;
  for (size_t a = 0; a < space_.dims(); ++a) sum += part2(a, space_.code(x, a), space_.code(c, a));
  return sum;
}

std::vector<PointId> RegionMetric::region(PointId c, double radius) const {
  const auto points = space_.points();
  std::vector<double> sums(points.size());
  std::vector<double> parts;
  for (size_t a = 0; a < space_.dims(); ++a) {
    const uint32_t at = space_.code(c, a);
    parts.clear();
    for (uint32_t x = 0; x <= space_.inactive_code(a); ++x) parts.push_back(part2(a, x, at));
    const uint16_t* codes = space_.codes_[a].data();
    for (size_t p = 0; p < sums.size(); ++p) sums[p] += parts[codes[p]];
  }
  // Three steps of 0.1 are a little more than 0.3 in floating point.
  const double most = radius * radius * (1 + 1e-9);
  std::vector<PointId> room(points.size() + 1);
  room[0] = c;
  size_t n = 1;
  // Without a branch, which would be guessed wrong at each border of the region.
  for (size_t p = 0; p < sums.size(); ++p) {
    room[n] = points[p];
    n += static_cast<size_t>(sums[p] <= most) & static_cast<size_t>(points[p] != c);
  }
  const auto inside = static_cast<std::ptrdiff_t>(n);
  std::vector<PointId> out(room.begin(), room.begin() + inside);
  for (const PointId p : space_.neighbours(c))
    if (!std::binary_search(out.begin() + 1, out.begin() + inside, p)) out.push_back(p);
  std::inplace_merge(out.begin() + 1, out.begin() + inside, out.end());
  return out;
}

}  // namespace mlq::tune
