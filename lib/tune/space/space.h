// A space of configurations: knobs with the values that each may have, the points of their grid that are
// valid, and the geometry that tuners learn on. Immutable after construction; any thread.
//
// A point is the row-major index of its steps in the whole grid, the first axis slowest: the same number in
// every program and every run. A conditional knob (`when`) that is not active has no influence: of the points
// that differ in it alone one is valid, that with its first value.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/serve/control/knobs.h"
#include "lib/tune/draws.h"
#include "lib/tune/space/expression.h"

namespace mlq::tune {

using serve::KnobType;

using PointId = uint64_t;

// What a change of a knob costs: nothing is interrupted, the model is loaded anew, the server is started
// anew.
enum class ApplyClass : uint8_t { hot, reload, restart };
std::string_view apply_class_name(ApplyClass c);
// The guess before it was measured: 0.01, 5 and 60 s.
double apply_seconds(ApplyClass c);

// A knob that is searched.
struct Axis {
  std::string name;
  KnobType type = KnobType::integer;
  std::vector<KnobValue> values;  // at least one, no two equal; numbers rising
  bool ordered = true;            // neighbours in `values` are neighbours; false: any two values are
  ApplyClass apply = ApplyClass::hot;
  std::string role;  // "batch": what AIMD moves
  std::optional<Expression> when;
  std::string doc;
  // What journals know the axis by, where its values depend on what is set just now; empty: its values.
  std::string identity;
};

// A knob that follows from the others.
struct DerivedKnob {
  std::string name;
  Expression formula;
};

// Knob to value, in the order of axes and derived knobs.
using Config = std::vector<std::pair<std::string, KnobValue>>;

// {"delay_us":100,"max_rows":64}: keys in the order given.
std::string config_json(const Config& config);
// The first 8 hexadecimal digits of XXH3-64 of the JSON with its keys sorted.
std::string config_id(const Config& config);
// Numbers by value (1 and 1.0 are equal), strings and booleans exactly.
bool same_value(const KnobValue& a, const KnobValue& b);
// An input Error that begins with `where` if `json` is no flat object of numbers, strings and booleans.
Config parse_config(std::string_view json, std::string_view where);

class Space {
 public:
  // Grids with at most so many points are walked once, and their valid points listed.
  static constexpr uint64_t kMostWalked = 2'000'000;

  // An input Error if an axis is empty or its values are not as they should be, a name occurs twice, a
  // formula names no knob, formulas and conditions depend on one another in a circle, or no point is valid.
  // Its message begins with the key in a space file, as in `knobs.delay_us.when: `. Formulas may name derived
  // knobs too; a point at which a derived knob has no value is not valid.
  Space(std::vector<Axis> axes, std::vector<DerivedKnob> derived, std::vector<Expression> constraints);
  Space(Space&&) = default;
  Space(const Space&) = delete;

  std::span<const Axis> axes() const { return axes_; }
  std::span<const DerivedKnob> derived() const { return derived_; }
  std::span<const Expression> constraints() const { return constraints_; }
  size_t dims() const { return axes_.size(); }
  size_t free_dims() const;  // axes with more than one value
  uint64_t grid_size() const { return grid_size_; }
  // XXH3-64 of the definitions (not of apply classes, roles and texts), in hexadecimal: journals of another
  // space are recognised by it.
  std::string xxh3() const;

  // All valid points, rising; empty if the grid is too large to be walked.
  std::span<const PointId> points() const { return points_; }
  bool listed() const { return !points_.empty(); }
  // Where a valid point stands in points(); only if listed().
  size_t rank(PointId point) const;
  bool valid(PointId point) const;
  // A valid point, each with the same chance (of a grid that is not listed: by rejection).
  PointId draw(Draws& draws) const;
  // The valid point that is nearest to the grid's middle.
  PointId middle() const;

  uint32_t step(PointId point, size_t axis) const {
    return static_cast<uint32_t>(point / strides_[axis] % axes_[axis].values.size());
  }
  PointId with_step(PointId point, size_t axis, uint32_t step) const {
    return point + (uint64_t{step} - this->step(point, axis)) * strides_[axis];
  }
  const KnobValue& value(PointId point, size_t axis) const { return axes_[axis].values[step(point, axis)]; }
  // The same configuration with the steps of inactive knobs at 0.
  PointId canonical(PointId point) const;
  bool active(PointId point, size_t axis) const;

  // dims() numbers in [0, 1]: rank / (n - 1) in the list of values (for log_* types the list is geometric, so
  // that this is the logarithm), 0 or 1 for bool, 0.5 for an inactive knob and for an axis of one value. Of
  // an unordered axis: its rank too; see ordered.
  void encode(PointId point, std::span<double> x) const;
  // With derived knobs.
  Config config(PointId point) const;
  // The same, but knobs without influence have the values of `idle`, where it has one.
  Config config(PointId point, const Config& idle) const;
  // The valid point with these values; knobs that `config` lacks are at their first value; names that are no
  // axis, and values of knobs that are not active, are passed over. None if a value is not on the grid or a
  // constraint is broken.
  std::optional<PointId> find(const Config& config) const;
  // The valid point nearest to these values in encoded distance (another value of an unordered axis is 1
  // away), the lowest of several; of a grid that is not listed, one with none nearer among its neighbours.
  // Numbers between two values of an axis are taken between their steps, numbers beyond at its end.
  PointId nearest(const Config& config) const;

  // Valid points one step away: one knob to the value before or after (unordered: any other value); a knob
  // that becomes active comes at its first value. Rising.
  std::vector<PointId> neighbours(PointId point) const;
  // Knobs whose values differ, derived ones aside.
  size_t changes(PointId a, PointId b) const;
  // The costliest class among the knobs that differ; hot if none do.
  ApplyClass apply_class(PointId from, PointId to) const;

 private:
  friend class RegionMetric;

  // An expression whose names are bound to places of `values` below.
  struct Bound {
    Expression expression;
    std::vector<uint32_t> slots;
    bool holds(std::span<const Scalar> values) const { return expression.holds(values, slots); }
  };
  // What a point's formulas see, and which knobs are active: one a walk, so that nothing is allocated a
  // point.
  struct Scene {
    std::vector<Scalar> values;   // axes, then derived knobs; an inactive knob's first value
    std::vector<uint32_t> codes;  // its step, or inactive_code
  };

  uint32_t size_of(size_t axis) const { return static_cast<uint32_t>(axes_[axis].values.size()); }
  uint32_t inactive_code(size_t axis) const { return size_of(axis); }
  void check_axes() const;
  void bind();
  Bound bound(const Expression& expression, const std::string& key) const;
  void order_formulas();
  void lay_out();
  void list_points();
  [[noreturn]] void no_point() const;

  Scene scene() const;
  // False if a derived knob has no value. Codes of inactive axes are set whatever `steps` says.
  bool play(std::span<const uint32_t> steps, Scene& scene) const;
  bool constraints_hold(const Scene& scene) const;
  PointId point_of(std::span<const uint32_t> codes) const;
  void steps_of(PointId point, std::span<uint32_t> steps) const;
  bool valid_unlisted(PointId point) const;
  PointId draw_any(Draws& draws) const;  // valid or not
  uint32_t code(PointId point, size_t axis) const;

  // Sums over axes of costs[axis][code], for a search of the least.
  using Costs = std::vector<std::vector<double>>;
  PointId cheapest(const Costs& costs) const;
  PointId cheapest_unlisted(const Costs& costs) const;
  double cost(PointId point, const Costs& costs) const;

  std::vector<Axis> axes_;
  std::vector<DerivedKnob> derived_;
  std::vector<Expression> constraints_;
  std::vector<uint64_t> strides_;
  uint64_t grid_size_ = 1;
  std::vector<PointId> points_;

  std::vector<std::vector<Scalar>> scalars_;      // by axis and step
  std::vector<std::vector<double>> coordinates_;  // by axis and code
  std::vector<std::optional<Bound>> when_;        // by axis
  std::vector<Bound> formulas_, bound_constraints_;
  std::vector<uint32_t> order_;  // axes, and dims() + k of derived knobs, each after what it depends on
  bool conditional_ = false;     // any axis has a condition
  // Of a listed space: a bit a grid point, the valid points before each word, and by axis the codes by rank.
  std::vector<uint64_t> bits_;
  std::vector<uint32_t> before_;
  std::vector<std::vector<uint16_t>> codes_;
  PointId known_valid_ = 0;
};

// The metric of regions (RRL's ball, on axes of any length):
//   D(x, c)^2 = sum_a (s_a (x_a - c_a) / w_a)^2, s_a = min(1, 0.3 (n_a - 1)),
// so that one step never is longer than 0.3; a bool, or another value of an unordered axis, is 0.3 / w_a
// away. `weights` (w_a) are 1 where none are given. Refers to `space`. Immutable; any thread.
class RegionMetric {
 public:
  explicit RegionMetric(const Space& space, std::span<const double> weights = {});
  double distance2(PointId x, PointId c) const;
  // Valid points with D <= radius (up to rounding) and the one-step neighbours of c, c first, the rest
  // rising. Only of a listed space.
  std::vector<PointId> region(PointId c, double radius) const;

 private:
  double part2(size_t axis, uint32_t x, uint32_t c) const;

  const Space& space_;
  std::vector<double> scale_;  // s_a / w_a, of an unordered axis 0.3 / w_a
};

}  // namespace mlq::tune
