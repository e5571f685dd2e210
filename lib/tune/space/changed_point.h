// A point of a space as it is typed: the knobs that differ.
#pragma once

#include <string_view>

#include "lib/tune/space/space.h"

namespace mlq::tune {

// The point that has the values of `changes`, and those of `base` elsewhere. A usage Error that begins with
// `option` where the space has no such knob, or no such point.
PointId changed_point(const Space& space, PointId base, const Config& changes, std::string_view option);

}  // namespace mlq::tune
