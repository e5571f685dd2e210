// The values of ranges: whole and real, evenly and geometrically spaced, all rising and without doubles.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/tune/space/space.h"

namespace mlq::tune {

// min, min + step, ... up to max.
std::vector<KnobValue> int_range(int64_t min, int64_t max, int64_t step);
// min, min * factor, ... up to max, each rounded and greater than the one before; min >= 1, factor > 1.
std::vector<KnobValue> log_int_range(int64_t min, int64_t max, double factor);
// n numbers from min to max, evenly or (min > 0) geometrically spaced, rounded to 12 digits between the ends.
std::vector<KnobValue> float_range(double min, double max, size_t n);
std::vector<KnobValue> log_float_range(double min, double max, size_t n);
// At most n whole numbers from min to max.
std::vector<KnobValue> thinned_range(int64_t min, int64_t max, size_t n);
std::vector<KnobValue> thinned_log_range(int64_t min, int64_t max, size_t n);
// `value` in its place, if no equal one is there.
void insert_value(std::vector<KnobValue>& values, const KnobValue& value);

}  // namespace mlq::tune
