// A preset for a server that is there: its values are the start, and lie in the middle of the ranges.
#include <algorithm>
#include <bit>

#include "lib/base/error.h"
#include "lib/tune/actuator/json.h"
#include "lib/tune/preset/preset.h"
#include "lib/tune/space/space_file.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {
namespace {

Json whole(int64_t value) { return Json(Json::Value(value)); }

// The values that there are, and this one.
void list_with(const Axis& axis, const KnobValue& now, Json& knob) {
  Json::Array values;
  for (const KnobValue& value : axis.values) values.emplace_back(value);
  const auto place = std::ranges::find_if(axis.values, [&](const KnobValue& value) {
    return is_number(value) && is_number(now) && number_of(now) < number_of(value);
  });
  values.emplace(values.begin() + (place - axis.values.begin()), now);
  Json::Object out;
  out.emplace_back("type", Json(Json::Value(std::string("list"))));
  out.emplace_back("values", Json(Json::Value(std::move(values))));
  for (auto& [name, value] : *knob.as<Json::Object>())
    if (name != "type" && name != "min" && name != "max" && name != "values") out.emplace_back(name, value);
  knob = Json(Json::Value(std::move(out)));
}

// A range of the same width; nothing below what the preset begins with, unless the server has it.
void centre_int(int64_t least, int64_t most, int64_t now, Json& knob) {
  const bool depends = knob.find("max")->as<std::string>() != nullptr;  // on the machine
  const int64_t min = std::max(std::min(least, now), depends ? least : now - (most - least) / 2);
  if (min != least) knob.set({"min"}, whole(min));
  if (depends && now <= most) return;
  knob.set({"max"}, whole(depends ? now : std::max(now, min + most - least)));
}

// Values are doubled from one to the next.
bool centre_log_int(const Axis& axis, int64_t now, Json& knob) {
  const int64_t least = std::get<int64_t>(axis.values.front());
  const int64_t larger = std::max(least, now), smaller = std::min(least, now);
  if (smaller < 1 || larger % smaller != 0 || !std::has_single_bit(static_cast<uint64_t>(larger / smaller)))
    return false;
  const size_t doublings = axis.values.size() - 1;
  int64_t min = now;
  for (size_t k = 0; k < doublings / 2 && min / 2 >= smaller && min % 2 == 0; ++k) min /= 2;
  knob.set({"min"}, whole(min));
  knob.set({"max"}, whole(min << doublings));
  return true;
}

void centre(const Axis& axis, const KnobValue& now, Json& knob) {
  const auto* value = std::get_if<int64_t>(&now);
  const bool listed =
      std::ranges::any_of(axis.values, [&](const KnobValue& v) { return same_value(v, now); });
  if (axis.type == KnobType::integer && value != nullptr) {
    centre_int(std::get<int64_t>(axis.values.front()), std::get<int64_t>(axis.values.back()), *value, knob);
  } else if (axis.type != KnobType::log_integer || value == nullptr || !centre_log_int(axis, *value, knob)) {
    if (!listed) list_with(axis, now, knob);
  }
}

// Where the value behind `key` begins and ends; such values have no object in them.
std::pair<size_t, size_t> value_of(const std::string& text, const std::string& key) {
  const size_t at = text.find(key);
  if (at == text.npos) throw Error(ExitKind::bug, "a preset has no " + key);
  const size_t begin = at + key.find(':') + 1;
  return {begin, text.find(text[begin] == '{' ? '}' : '"', begin + 1) + 1};
}

}  // namespace

std::string preset_from_live(std::string_view name, const Config& live) {
  std::string text = preset_text(name);
  const SpaceFile file = parse_space_file(text, name);
  Config start;
  bool any = false;
  for (const Axis& axis : file.space->axes()) {
    const auto knob_is = [&](const auto& knob) { return knob.first == axis.name; };
    const auto now = std::ranges::find_if(live, knob_is);
    if (now != live.end()) {
      any = true;
      start.push_back(*now);
      const auto [begin, end] = value_of(text, "\"" + axis.name + "\":{");
      std::string error;
      Json knob = Json::parse(std::string_view(text).substr(begin, end - begin), error).value();
      centre(axis, now->second, knob);
      text.replace(begin, end - begin, knob.text());
    } else if (file.start) {
      if (const auto given = std::ranges::find_if(*file.start, knob_is); given != file.start->end())
        start.push_back(*given);
    }
  }
  if (!any)
    throw input_error("{} is not what the preset {} is for: none of its knobs is in it", config_json(live),
                      name);
  const auto [begin, end] = value_of(text, "\"start\":");
  text.replace(begin, end - begin, config_json(start));
  return text;
}

}  // namespace mlq::tune
