// Spaces that tests share.
#pragma once

#include <string>
#include <vector>

#include "lib/tune/space/space.h"

namespace mlq::tune::test {

inline Expression expression(std::string_view text) { return Expression::parse(text, machine_value); }

// Whole numbers from 0 to n - 1.
inline Axis counting_axis(std::string name, int64_t n) {
  Axis axis;
  axis.name = std::move(name);
  for (int64_t k = 0; k < n; ++k) axis.values.emplace_back(k);
  return axis;
}

inline Axis list_axis(std::string name, std::vector<KnobValue> values) {
  Axis axis;
  axis.name = std::move(name);
  axis.type = KnobType::list;
  axis.ordered = !std::holds_alternative<std::string>(values.front());
  axis.values = std::move(values);
  return axis;
}

inline Axis bool_axis(std::string name) {
  Axis axis = list_axis(std::move(name), {false, true});
  axis.type = KnobType::boolean;
  return axis;
}

// n values on each of `dims` axes a, b, c, ...
inline Space cube(size_t dims, int64_t n) {
  std::vector<Axis> axes;
  for (size_t a = 0; a < dims; ++a)
    axes.push_back(counting_axis(std::string(1, static_cast<char>('a' + a)), n));
  return Space(std::move(axes), {}, {});
}

}  // namespace mlq::tune::test
