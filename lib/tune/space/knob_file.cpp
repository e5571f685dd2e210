#include "lib/tune/space/knob_file.h"

#include <algorithm>
#include <cmath>

#include "lib/tune/space/ranges.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {
namespace {

using jsonl::Kind;
using jsonl::Member;
using jsonl::Value;
using Members = std::vector<Member>;

constexpr uint64_t kMostValues = 10'000;

const std::vector<std::string>& type_words() {
  static const std::vector<std::string> kWords{"int",  "log_int", "float",  "log_float",
                                               "list", "bool",    "derived"};
  return kWords;
}

void check_name(std::string_view name, const Place& place) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto plain = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '.'; };
  const bool good = !name.empty() && letter(name[0]) && std::ranges::all_of(name, plain);
  if (!good || name == "true" || name == "false")
    throw place.error("\"{}\" cannot name a knob; use letters, digits, _ and ., a letter first", name);
}

const Value& needed(const Members& members, std::string_view name, const Place& place) {
  const Value* value = find_member(members, name);
  if (value == nullptr) throw place.error("\"{}\" is missing", name);
  return *value;
}

// A number, or an expression over the machine in a string.
KnobValue number_in(const Members& members, std::string_view name, const Place& place) {
  const Value& value = needed(members, name, place);
  const Place at = place.in(name);
  if (value.kind == Kind::string) {
    const Expression expression = expression_of(value, at);
    if (!expression.names().empty())
      throw at.error("\"{}\": it can only name $cores, $memory_bytes and $gpus, not {}", value.text,
                     expression.names()[0]);
    const auto result = expression.value({});
    if (!result || !is_number(*result)) throw at.error("\"{}\" is no number", value.text);
    return *result;
  }
  if (const auto whole = value.as_int64()) return *whole;
  if (const auto real = value.as_double()) return *real;
  throw at.error("a number is wanted, or an expression such as \"2 * $cores\"");
}

int64_t whole_in(const Members& members, std::string_view name, const Place& place) {
  const KnobValue value = number_in(members, name, place);
  if (const auto* whole = std::get_if<int64_t>(&value)) return *whole;
  throw place.in(name).error("a whole number is wanted, not {}", serve::knob_text(value));
}

double real_in(const Members& members, std::string_view name, const Place& place) {
  return number_of(number_in(members, name, place));
}

template <class T>
void check_range(T min, T max, const Place& place) {
  if (max < min) throw place.error("the range is empty: min {} is greater than max {}", min, max);
}

std::vector<KnobValue> int_values(const Members& members, const Place& place) {
  const int64_t min = whole_in(members, "min", place), max = whole_in(members, "max", place);
  check_range(min, max, place);
  const int64_t step = find_member(members, "step") == nullptr ? 1 : whole_in(members, "step", place);
  if (step < 1) throw place.in("step").error("it must be at least 1");
  const uint64_t steps =
      (static_cast<uint64_t>(max) - static_cast<uint64_t>(min)) / static_cast<uint64_t>(step);
  if (steps >= kMostValues)
    throw place.error("it has over {} values; give a larger \"step\", or the type log_int", kMostValues);
  return int_range(min, max, step);
}

std::vector<KnobValue> log_int_values(const Members& members, const Place& place) {
  const int64_t min = whole_in(members, "min", place), max = whole_in(members, "max", place);
  check_range(min, max, place);
  if (min < 1) throw place.in("min").error("of a log_int it must be at least 1, not {}", min);
  const bool given = find_member(members, "step_factor") != nullptr;
  const double factor = given ? real_in(members, "step_factor", place) : 2;
  // Over 2^63 a factor of 1.01 makes 4,389 values.
  if (!(factor >= 1.01)) throw place.in("step_factor").error("it must be at least 1.01");
  return log_int_range(min, max, factor);
}

std::vector<KnobValue> float_values(const Members& members, const Place& place, bool log) {
  const double min = real_in(members, "min", place), max = real_in(members, "max", place);
  check_range(min, max, place);
  if (log && !(min > 0)) throw place.in("min").error("of a log_float it must be over 0, not {}", min);
  if (!std::isfinite(max - min)) throw place.error("the range from {} to {} is too wide", min, max);
  const bool given = find_member(members, "steps") != nullptr;
  const int64_t steps = given ? whole_in(members, "steps", place) : 11;
  if (steps < 2 || steps > static_cast<int64_t>(kMostValues))
    throw place.in("steps").error("it must be from 2 to {}", kMostValues);
  const auto n = static_cast<size_t>(steps);
  return log ? log_float_range(min, max, n) : float_range(min, max, n);
}

void read_values(const Members& members, const Place& place, Axis& axis) {
  switch (axis.type) {
    case KnobType::integer:
      axis.values = int_values(members, place);
      return;
    case KnobType::log_integer:
      axis.values = log_int_values(members, place);
      return;
    case KnobType::real:
    case KnobType::log_real:
      axis.values = float_values(members, place, axis.type == KnobType::log_real);
      return;
    case KnobType::boolean:
      axis.values = {false, true};
      return;
    case KnobType::list:
      axis.values = list_of(needed(members, "values", place), place.in("values"));
      axis.ordered = is_number(axis.values[0]);
      if (const Value* ordered = find_member(members, "ordered"))
        axis.ordered = flag_of(*ordered, place.in("ordered"));
  }
}

std::vector<std::string> known_members(KnobType type) {
  std::vector<std::string> out{"type", "apply", "when", "role", "doc"};
  if (type == KnobType::list) {
    out.insert(out.end(), {"values", "ordered"});
  } else if (type != KnobType::boolean) {
    out.insert(out.end(), {"min", "max"});
    if (type == KnobType::integer) out.emplace_back("step");
    if (type == KnobType::log_integer) out.emplace_back("step_factor");
    if (type == KnobType::real || type == KnobType::log_real) out.emplace_back("steps");
  }
  return out;
}

Axis read_axis(std::string_view name, const Members& members, const Place& place, KnobType type) {
  check_members(members, place, known_members(type));
  Axis axis;
  axis.name = name;
  axis.type = type;
  read_values(members, place, axis);
  if (const Value* apply = find_member(members, "apply"))
    axis.apply = static_cast<ApplyClass>(word_of(*apply, place.in("apply"), {"hot", "reload", "restart"}));
  if (const Value* when = find_member(members, "when")) axis.when = expression_of(*when, place.in("when"));
  if (const Value* role = find_member(members, "role")) {
    word_of(*role, place.in("role"), {"batch"});
    axis.role = role->text;
  }
  if (const Value* doc = find_member(members, "doc")) axis.doc = text_of(*doc, place.in("doc"));
  return axis;
}

}  // namespace

Expression expression_of(const Value& value, const Place& place) {
  const std::string text = text_of(value, place);
  try {
    return Expression::parse(text, machine_value);
  } catch (const Error& error) {
    throw place.error("{}", error.what());
  }
}

std::vector<KnobValue> list_of(const Value& value, const Place& place) {
  std::vector<Value> elements;
  if (value.kind != Kind::array || !jsonl::read_elements(value, elements) || elements.empty())
    throw place.error("an array of numbers or strings is wanted, with at least one");
  if (elements.size() > kMostValues) throw place.error("it has over {} values", kMostValues);
  std::vector<KnobValue> out;
  for (size_t k = 0; k < elements.size(); ++k) {
    const auto element = value_of_json(elements[k]);
    if (!element || std::holds_alternative<bool>(*element))
      throw place.at(k).error("a number or a string is wanted; for true and false there is the type bool");
    if (!out.empty() && is_number(out[0]) != is_number(*element))
      throw place.at(k).error("numbers and strings do not mix");
    out.push_back(*element);
  }
  auto sorted = out;
  const bool numbers = is_number(out[0]);
  std::ranges::sort(sorted, [&](const KnobValue& a, const KnobValue& b) {
    return numbers ? number_less(a, b) : std::get<std::string>(a) < std::get<std::string>(b);
  });
  if (const auto twice = std::ranges::adjacent_find(sorted, same_value); twice != sorted.end())
    throw place.error("{} is there twice", serve::knob_text(*twice));
  return numbers ? sorted : out;
}

void read_knob(const Member& member, const Place& place, std::vector<Axis>& axes,
               std::vector<DerivedKnob>& derived) {
  check_name(member.key, place);
  const Place at = place.in(member.key);
  const Members members = members_of(member.value, at);
  const size_t type = word_of(needed(members, "type", at), at.in("type"), type_words());
  if (type_words()[type] == "derived") {
    check_members(members, at, {"type", "expr", "doc"});
    derived.push_back({std::string(member.key), expression_of(needed(members, "expr", at), at.in("expr"))});
  } else {
    axes.push_back(read_axis(member.key, members, at, static_cast<KnobType>(type)));
  }
}

}  // namespace mlq::tune
