// A space's points: which are valid, where they stand, what they are called.
#include "lib/tune/space/space.h"

#include <algorithm>
#include <bit>
#include <limits>

#include <fmt/format.h>
#include <xxhash.h>

#include "lib/base/error.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {

size_t Space::free_dims() const {
  return static_cast<size_t>(std::ranges::count_if(axes_, [](const Axis& a) { return a.values.size() > 1; }));
}

std::string Space::xxh3() const {
  jsonl::Buffer out;
  const auto text = [&](std::string_view t) {
    out.string(t);
    out.raw('\n');
  };
  for (const Axis& axis : axes_) {
    text(axis.name);
    out.integer(static_cast<int>(axis.type));
    out.boolean(axis.ordered);
    text(axis.identity);
    for (const KnobValue& value : axis.values) {
      if (!axis.identity.empty()) break;
      out.raw(' ');
      serve::write_knob_value(value, out);
    }
    out.raw('\n');
    if (axis.when) text(axis.when->text());
  }
  for (const DerivedKnob& d : derived_) {
    text(d.name);
    text(d.formula.text());
  }
  for (const Expression& c : constraints_) text(c.text());
  return fmt::format("{:016x}", XXH3_64bits(out.data(), out.size()));
}

Space::Scene Space::scene() const {
  return {std::vector<Scalar>(axes_.size() + derived_.size()), std::vector<uint32_t>(axes_.size())};
}

bool Space::play(std::span<const uint32_t> steps, Scene& scene) const {
  for (const uint32_t k : order_) {
    if (k >= axes_.size()) {
      const Bound& formula = formulas_[k - axes_.size()];
      scene.values[k] = formula.expression.evaluate(scene.values, formula.slots);
      if (scene.values[k].kind == Scalar::Kind::none) return false;
    } else if (when_[k] && !when_[k]->holds(scene.values)) {
      scene.values[k] = scalars_[k][0];
      scene.codes[k] = inactive_code(k);
    } else {
      scene.values[k] = scalars_[k][steps[k]];
      scene.codes[k] = steps[k];
    }
  }
  return true;
}

bool Space::constraints_hold(const Scene& scene) const {
  return std::ranges::all_of(bound_constraints_, [&](const Bound& c) { return c.holds(scene.values); });
}

PointId Space::point_of(std::span<const uint32_t> codes) const {
  PointId out = 0;
  for (size_t a = 0; a < codes.size(); ++a)
    if (codes[a] != inactive_code(a)) out += codes[a] * strides_[a];
  return out;
}

void Space::steps_of(PointId point, std::span<uint32_t> steps) const {
  for (size_t a = steps.size(); a-- > 0;) {
    steps[a] = static_cast<uint32_t>(point % size_of(a));
    point /= size_of(a);
  }
}

bool Space::valid_unlisted(PointId point) const {
  std::vector<uint32_t> steps(dims());
  steps_of(point, steps);
  Scene s = scene();
  return play(steps, s) && point_of(s.codes) == point && constraints_hold(s);
}

bool Space::valid(PointId point) const {
  if (point >= grid_size_) return false;
  return listed() ? (bits_[point / 64] >> (point % 64) & 1) != 0 : valid_unlisted(point);
}

size_t Space::rank(PointId point) const {
  const uint64_t below = bits_[point / 64] & ((uint64_t{1} << (point % 64)) - 1);
  return before_[point / 64] + static_cast<size_t>(std::popcount(below));
}

PointId Space::draw_any(Draws& draws) const {
  PointId out = 0;
  for (size_t a = 0; a < dims(); ++a) out += draws.below(size_of(a)) * strides_[a];
  return out;
}

PointId Space::draw(Draws& draws) const {
  if (listed()) return points_[draws.below(points_.size())];
  // A space has a valid point, but one in how many is not known; the bound only keeps this from being
  // endless.
  for (int tries = 0; tries < 10'000'000; ++tries)
    if (const PointId point = draw_any(draws); valid_unlisted(point)) return point;
  return known_valid_;
}

PointId Space::canonical(PointId point) const {
  if (!conditional_) return point;
  std::vector<uint32_t> steps(dims());
  steps_of(point, steps);
  Scene s = scene();
  for (size_t a = 0; a < dims(); ++a) s.codes[a] = steps[a];
  play(steps, s);
  return point_of(s.codes);
}

uint32_t Space::code(PointId point, size_t axis) const {
  if (!when_[axis]) return step(point, axis);
  if (listed() && valid(point)) return codes_[axis][rank(point)];
  std::vector<uint32_t> steps(dims());
  steps_of(point, steps);
  Scene s = scene();
  for (size_t a = 0; a < dims(); ++a) s.codes[a] = steps[a];
  play(steps, s);
  return s.codes[axis];
}

bool Space::active(PointId point, size_t axis) const { return code(point, axis) != inactive_code(axis); }

void Space::encode(PointId point, std::span<double> x) const {
  if (listed() && valid(point)) {
    const size_t at = rank(point);
    for (size_t a = 0; a < x.size(); ++a) x[a] = coordinates_[a][codes_[a][at]];
    return;
  }
  for (size_t a = 0; a < x.size(); ++a) x[a] = coordinates_[a][code(point, a)];
}

Config Space::config(PointId point) const {
  std::vector<uint32_t> steps(dims());
  steps_of(point, steps);
  Scene s = scene();
  play(steps, s);
  Config out;
  out.reserve(s.values.size());
  for (size_t a = 0; a < dims(); ++a) out.emplace_back(axes_[a].name, axes_[a].values[steps[a]]);
  for (size_t k = 0; k < derived_.size(); ++k)
    if (auto value = knob_value(s.values[dims() + k])) out.emplace_back(derived_[k].name, std::move(*value));
  return out;
}

Config Space::config(PointId point, const Config& idle) const {
  Config out = config(point);
  for (size_t a = 0; a < dims(); ++a) {
    if (active(point, a)) continue;
    const auto value =
        std::ranges::find_if(idle, [&](const auto& knob) { return knob.first == out[a].first; });
    if (value != idle.end()) out[a].second = value->second;
  }
  return out;
}

std::optional<PointId> Space::find(const Config& config) const {
  std::vector<uint32_t> steps(dims(), 0);
  constexpr uint32_t kNotThere = std::numeric_limits<uint32_t>::max();
  for (const auto& [name, value] : config) {
    const auto axis = std::ranges::find(axes_, name, &Axis::name);
    if (axis == axes_.end()) continue;
    const auto at =
        std::ranges::find_if(axis->values, [&](const KnobValue& v) { return same_value(v, value); });
    steps[static_cast<size_t>(axis - axes_.begin())] =
        at == axis->values.end() ? kNotThere : static_cast<uint32_t>(at - axis->values.begin());
  }
  // A value that is off the grid does no harm where its knob is inactive. Which knobs are, does not depend on
  // what is played for it: conditions are looked at after the knobs that they name, and an active one with
  // such a value ends the search.
  std::vector<uint32_t> played = steps;
  std::ranges::replace(played, kNotThere, 0u);
  Scene s = scene();
  if (!play(played, s) || !constraints_hold(s)) return std::nullopt;
  for (size_t a = 0; a < dims(); ++a)
    if (steps[a] == kNotThere && s.codes[a] != inactive_code(a)) return std::nullopt;
  return point_of(s.codes);
}

std::vector<PointId> Space::neighbours(PointId point) const {
  std::vector<PointId> out;
  const auto take = [&](size_t axis, uint32_t step) {
    const PointId to = canonical(with_step(point, axis, step));
    if (to != point && valid(to)) out.push_back(to);
  };
  for (size_t a = 0; a < dims(); ++a) {
    if (!active(point, a)) continue;
    const uint32_t at = step(point, a);
    if (axes_[a].ordered) {
      if (at > 0) take(a, at - 1);
      if (at + 1 < size_of(a)) take(a, at + 1);
    } else {
      for (uint32_t s = 0; s < size_of(a); ++s)
        if (s != at) take(a, s);
    }
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

size_t Space::changes(PointId a, PointId b) const {
  size_t n = 0;
  for (size_t k = 0; k < dims(); ++k) n += step(a, k) != step(b, k);
  return n;
}

ApplyClass Space::apply_class(PointId from, PointId to) const {
  ApplyClass worst = ApplyClass::hot;
  for (size_t k = 0; k < dims(); ++k)
    if (step(from, k) != step(to, k)) worst = std::max(worst, axes_[k].apply);
  return worst;
}

}  // namespace mlq::tune
