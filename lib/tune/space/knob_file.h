// The knobs of a space file, one by one.
#pragma once

#include <vector>

#include "lib/tune/space/place.h"
#include "lib/tune/space/space.h"

namespace mlq::tune {

// Reads one member of "knobs" into `axes` or, of type derived, into `derived`.
void read_knob(const jsonl::Member& member, const Place& place, std::vector<Axis>& axes,
               std::vector<DerivedKnob>& derived);
// An expression in the file.
Expression expression_of(const jsonl::Value& value, const Place& place);
// The elements of "values", of one kind; numbers in rising order.
std::vector<KnobValue> list_of(const jsonl::Value& value, const Place& place);

}  // namespace mlq::tune
