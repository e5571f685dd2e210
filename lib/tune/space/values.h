// Values of knobs, from JSON and among one another.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "lib/jsonl/object.h"
#include "lib/tune/space/space.h"

namespace mlq::tune {

bool is_number(const KnobValue& value);
double number_of(const KnobValue& value);  // of a number
bool number_less(const KnobValue& a, const KnobValue& b);
// A number, string or boolean; none for null, arrays and objects.
std::optional<KnobValue> value_of_json(const jsonl::Value& value);
// As parse_config, of an object that is read already.
Config config_of_members(std::span<const jsonl::Member> members, std::string_view where);

}  // namespace mlq::tune
