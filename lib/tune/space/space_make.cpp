// A space from its definitions: what is wrong with them, and the list of valid points.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/base/nearest.h"
#include "lib/tune/space/space.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {
namespace {

void check_values(const Axis& axis) {
  const std::string key = fmt::format("knobs.{}", axis.name);
  const auto& values = axis.values;
  if (values.empty()) throw input_error("{}: it has no values", key);
  if (values.size() > std::numeric_limits<uint16_t>::max() - 1)
    throw input_error("{}: it has {} values; at most 65534 are possible", key, values.size());
  const bool numbers = is_number(values.front());
  for (size_t k = 1; k < values.size(); ++k) {
    if (is_number(values[k]) != numbers || (!numbers && values[k].index() != values[0].index()))
      throw input_error("{}: its values are of several kinds", key);
    if (numbers && !number_less(values[k - 1], values[k]))
      throw input_error("{}: its values must rise, but {} stands before {}", key,
                        serve::knob_text(values[k - 1]), serve::knob_text(values[k]));
    if (!numbers && std::find(values.begin(), values.begin() + static_cast<ptrdiff_t>(k), values[k]) !=
                        values.begin() + static_cast<ptrdiff_t>(k))
      throw input_error("{}: value \"{}\" is there twice", key, serve::knob_text(values[k]));
  }
}

}  // namespace

Space::Space(std::vector<Axis> axes, std::vector<DerivedKnob> derived, std::vector<Expression> constraints)
    : axes_(std::move(axes)), derived_(std::move(derived)), constraints_(std::move(constraints)) {
  check_axes();
  bind();
  order_formulas();
  lay_out();
  list_points();
}

void Space::check_axes() const {
  if (axes_.empty()) throw input_error("knobs: there is no knob to search");
  std::vector<std::string_view> names;
  for (const Axis& axis : axes_) {
    check_values(axis);
    names.push_back(axis.name);
  }
  for (const DerivedKnob& d : derived_) names.push_back(d.name);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    throw input_error("knobs.{}: it is there twice", *twice);
}

Space::Bound Space::bound(const Expression& expression, const std::string& key) const {
  Bound out{expression, {}};
  std::vector<std::string> known;
  for (const Axis& axis : axes_) known.push_back(axis.name);
  for (const DerivedKnob& d : derived_) known.push_back(d.name);
  for (const std::string& name : expression.names()) {
    const auto at = std::ranges::find(known, name);
    if (at == known.end()) {
      const std::string near = mlq::nearest(name, known);
      throw input_error("{}: \"{}\": there is no knob {}{}", key, expression.text(), name,
                        near.empty() ? "" : fmt::format("; did you mean {}?", near));
    }
    out.slots.push_back(static_cast<uint32_t>(at - known.begin()));
  }
  return out;
}

void Space::bind() {
  for (const Axis& axis : axes_) {
    when_.emplace_back();
    if (axis.when) when_.back() = bound(*axis.when, fmt::format("knobs.{}.when", axis.name));
    conditional_ = conditional_ || axis.when;
    std::vector<Scalar>& scalars = scalars_.emplace_back();
    for (const KnobValue& value : axis.values) scalars.push_back(scalar_of(value));
  }
  for (const DerivedKnob& d : derived_)
    formulas_.push_back(bound(d.formula, fmt::format("knobs.{}.expr", d.name)));
  for (size_t k = 0; k < constraints_.size(); ++k)
    bound_constraints_.push_back(bound(constraints_[k], fmt::format("constraints[{}]", k)));
}

// Kahn's order, the lowest place first, so that it is the same everywhere.
void Space::order_formulas() {
  const size_t n = axes_.size() + derived_.size();
  const auto depends_on = [&](size_t k) -> std::span<const uint32_t> {
    if (k >= axes_.size()) return formulas_[k - axes_.size()].slots;
    return when_[k] ? std::span<const uint32_t>(when_[k]->slots) : std::span<const uint32_t>();
  };
  std::vector<bool> done(n);
  while (order_.size() < n) {
    size_t k = 0;
    while (k < n && (done[k] || !std::ranges::all_of(depends_on(k), [&](uint32_t d) { return done[d]; })))
      ++k;
    if (k == n) {
      std::string circle;
      for (size_t j = 0; j < n; ++j)
        if (!done[j])
          circle += (circle.empty() ? "" : ", ") + (j < dims() ? axes_[j].name : derived_[j - dims()].name);
      throw input_error("knobs: conditions and formulas depend on one another in a circle: {}", circle);
    }
    done[k] = true;
    order_.push_back(static_cast<uint32_t>(k));
  }
}

void Space::lay_out() {
  strides_.resize(dims());
  for (size_t a = dims(); a-- > 0;) {
    strides_[a] = grid_size_;
    if (__builtin_mul_overflow(grid_size_, uint64_t{size_of(a)}, &grid_size_) || grid_size_ >> 62 != 0)
      throw input_error("knobs: the grid has over 2^62 points; give coarser steps or fewer knobs");
  }
  for (const Axis& axis : axes_) {
    std::vector<double>& x = coordinates_.emplace_back();
    const auto n = axis.values.size();
    for (size_t s = 0; s < n; ++s)
      x.push_back(n == 1 ? 0.5 : static_cast<double>(s) / static_cast<double>(n - 1));
    x.push_back(0.5);
  }
}

void Space::list_points() {
  if (grid_size_ > kMostWalked) {
    constexpr int kDrawn = 200'000;
    Draws draws(0, Purpose::design, 0);
    for (int k = 0; k < kDrawn; ++k) {
      known_valid_ = draw_any(draws);
      if (valid_unlisted(known_valid_)) return;
    }
    throw input_error("constraints: none of {} configurations that were drawn keeps them", kDrawn);
  }
  bits_.assign(grid_size_ / 64 + 1, 0);
  before_.assign(bits_.size(), 0);
  codes_.resize(dims());
  Scene s = scene();
  std::vector<uint32_t> steps(dims(), 0);
  for (PointId point = 0; point < grid_size_; ++point) {
    if (point % 64 == 0) before_[point / 64] = static_cast<uint32_t>(points_.size());
    if (play(steps, s) && point_of(s.codes) == point && constraints_hold(s)) {
      bits_[point / 64] |= uint64_t{1} << (point % 64);
      points_.push_back(point);
      for (size_t a = 0; a < dims(); ++a) codes_[a].push_back(static_cast<uint16_t>(s.codes[a]));
    }
    for (size_t a = dims(); a-- > 0 && ++steps[a] == size_of(a);) steps[a] = 0;
  }
  if (points_.empty()) no_point();
  known_valid_ = points_.front();
}

void Space::no_point() const {
  std::vector<uint64_t> kept(constraints_.size());
  uint64_t all = 0;
  Scene s = scene();
  std::vector<uint32_t> steps(dims());
  for (PointId point = 0; point < grid_size_; ++point) {
    steps_of(point, steps);
    if (!play(steps, s) || point_of(s.codes) != point) continue;
    ++all;
    for (size_t k = 0; k < kept.size(); ++k) kept[k] += bound_constraints_[k].holds(s.values);
  }
  if (all == 0) throw input_error("knobs: a derived knob has no value at any of the {} points", grid_size_);
  const auto least = static_cast<size_t>(std::ranges::min_element(kept) - kept.begin());
  if (kept[least] == 0)
    throw input_error("constraints[{}]: \"{}\" leaves none of {} configurations", least,
                      constraints_[least].text(), all);
  throw input_error("constraints: together they leave none of {} configurations; \"{}\" alone leaves {}", all,
                    constraints_[least].text(), kept[least]);
}

}  // namespace mlq::tune
