#include "lib/tune/space/space_file.h"

#include <algorithm>

#include "lib/base/io.h"
#include "lib/jsonl/damage.h"
#include "lib/tune/space/knob_file.h"
#include "lib/tune/space/place.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {
namespace {

using jsonl::Kind;
using jsonl::Member;
using jsonl::Value;

constexpr size_t kMostBytes = size_t{16} << 20;

void check_hours(std::string_view hours, const Place& place) {
  const auto minute_of_day = [](std::string_view t) {
    const auto digit = [&](size_t k) { return t[k] >= '0' && t[k] <= '9'; };
    return t.size() == 5 && digit(0) && digit(1) && t[2] == ':' && digit(3) && digit(4) &&
           t.substr(0, 2) < "24" && t.substr(3) < "60";
  };
  if (hours.size() != 11 || hours[5] != '-' || !minute_of_day(hours.substr(0, 5)) ||
      !minute_of_day(hours.substr(6)))
    throw place.error("\"{}\" is no time of day; one is \"22:00-06:00\"", hours);
}

SafetyRules read_safety(const Value& value, const Place& place) {
  const std::vector<Member> members = members_of(value, place);
  check_members(members, place,
                {"max_changes", "max_changes_per_hour", "max_step", "error_rate", "restarts_per_day", "dwell",
                 "rest", "gain", "hours", "max_rate_per_s"});
  SafetyRules out;
  for (const Member& member : members) {
    const Place at = place.in(member.key);
    const Value& v = member.value;
    if (member.key == "max_changes") out.max_changes = count_of(v, at);
    if (member.key == "max_changes_per_hour") out.max_changes_per_hour = count_of(v, at);
    if (member.key == "max_step") out.max_step = count_of(v, at);
    if (member.key == "restarts_per_day") out.restarts_per_day = count_of(v, at);
    if (member.key == "error_rate") out.error_rate = share_of(v, at);
    if (member.key == "gain") out.gain = share_of(v, at);
    if (member.key == "dwell") out.dwell_ns = duration_of(v, at);
    if (member.key == "rest") out.rest_ns = duration_of(v, at);
    if (member.key == "hours") check_hours(out.hours = text_of(v, at), at);
    if (member.key == "max_rate_per_s") {
      out.max_rate_per_s = v.as_double();
      if (!out.max_rate_per_s || !(*out.max_rate_per_s > 0)) throw at.error("a rate over 0 is wanted");
    }
  }
  return out;
}

std::optional<Config> read_start(const Value& value, const Place& place, const Space* space) {
  if (value.kind == Kind::string && value.text == "live") return std::nullopt;
  if (value.kind != Kind::object) throw place.error("\"live\" or an object of knobs is wanted");
  const std::vector<Member> members = members_of(value, place);
  std::vector<std::string> knobs;
  if (space != nullptr)
    for (const Axis& axis : space->axes()) knobs.push_back(axis.name);
  for (const Member& member : members)
    if (space != nullptr && std::ranges::find(knobs, member.key) == knobs.end())
      throw place.error("there is no knob \"{}\" to search{}", member.key, meant(member.key, knobs));
  return config_of_members(members, place.text());
}

std::vector<Expression> read_constraints(const Value& value, const Place& place) {
  std::vector<Value> elements;
  if (value.kind != Kind::array || !jsonl::read_elements(value, elements))
    throw place.error("an array of texts is wanted");
  std::vector<Expression> out;
  for (size_t k = 0; k < elements.size(); ++k) out.push_back(expression_of(elements[k], place.at(k)));
  return out;
}

std::shared_ptr<const Space> read_space(const Value& knobs, const Value* constraints, const Place& top) {
  std::vector<Axis> axes;
  std::vector<DerivedKnob> derived;
  for (const Member& member : members_of(knobs, top.in("knobs")))
    read_knob(member, top.in("knobs"), axes, derived);
  std::vector<Expression> kept;
  if (constraints != nullptr) kept = read_constraints(*constraints, top.in("constraints"));
  try {
    return std::make_shared<const Space>(std::move(axes), std::move(derived), std::move(kept));
  } catch (const Error& error) {
    throw top.error("{}", error.what());
  }
}

}  // namespace

SpaceFile parse_space_file(std::string_view text, std::string_view name) {
  const Place top{std::string(name), ""};
  jsonl::OwnedObject object(text);
  if (!object.ok()) throw top.error("{}{}", object.parser().error(), jsonl::damage_place(text));
  const std::vector<Member> members(object.parser().members().begin(), object.parser().members().end());
  check_members(
      members, top,
      {"version", "name", "start", "level", "knobs", "constraints", "actuator", "measure", "load", "safety"});
  const auto given = [&](std::string_view key) { return find_member(members, key); };
  if (const Value* version = given("version"); version != nullptr && version->as_int64() != 1)
    throw top.in("version").error("only version 1 is known");
  SpaceFile out;
  out.levels = "rate";
  if (const Value* v = given("name")) out.name = text_of(*v, top.in("name"));
  if (const Value* v = given("level")) {
    word_of(*v, top.in("level"), {"rate", "segment", "single"});
    out.levels = v->text;
  }
  if (const Value* v = given("knobs")) out.space = read_space(*v, given("constraints"), top);
  if (out.space == nullptr && given("constraints") != nullptr)
    throw top.in("constraints").error("without \"knobs\" there is nothing to constrain");
  if (const Value* v = given("start")) out.start = read_start(*v, top.in("start"), out.space.get());
  if (const Value* v = given("actuator")) out.actuator = object_text(*v, top.in("actuator"));
  if (const Value* v = given("measure")) out.measure = object_text(*v, top.in("measure"));
  if (const Value* v = given("load")) out.load = object_text(*v, top.in("load"));
  if (const Value* v = given("safety")) out.safety = read_safety(*v, top.in("safety"));
  return out;
}

SpaceFile read_space_file(const std::string& path) {
  return parse_space_file(read_file(path, kMostBytes), path);
}

}  // namespace mlq::tune
