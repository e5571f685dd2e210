// A space from what an endpoint says of its knobs.
#include <algorithm>

#include "lib/tune/space/knob_file.h"
#include "lib/tune/space/place.h"
#include "lib/tune/space/ranges.h"
#include "lib/tune/space/space_file.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {
namespace {

using jsonl::Kind;
using jsonl::Member;
using jsonl::Value;
using Members = std::vector<Member>;

constexpr size_t kAllListed = 64;
constexpr size_t kThinned = 31;  // and the present value and the default
constexpr size_t kReals = 11;

// A knob as the endpoint tells it.
struct Told {
  Axis axis;                                      // its values are those that are searched
  KnobValue least{int64_t{0}}, most{int64_t{0}};  // of numbers in a range
  KnobValue present;
  bool tunable = true;
  bool kept = true;  // searched
  int64_t settle_ns = 0;
};

const Value& needed(const Members& members, std::string_view name, const Place& place) {
  const Value* value = find_member(members, name);
  if (value == nullptr) throw place.error("\"{}\" is missing", name);
  return *value;
}

KnobValue scalar_in(const Members& members, std::string_view name, const Place& place) {
  auto value = value_of_json(needed(members, name, place));
  if (!value) throw place.in(name).error("a number, a string, true or false is wanted");
  return *value;
}

bool in_range(const Told& told, const KnobValue& value) {
  switch (told.axis.type) {
    case KnobType::boolean:
      return std::holds_alternative<bool>(value);
    case KnobType::list:
      return std::ranges::any_of(told.axis.values, [&](const KnobValue& v) { return same_value(v, value); });
    default:
      return is_number(value) && !number_less(value, told.least) && !number_less(told.most, value);
  }
}

std::string range_text(const Told& told) {
  if (told.axis.type == KnobType::boolean) return "true or false";
  if (told.axis.type != KnobType::list)
    return fmt::format("{} to {}", serve::knob_text(told.least), serve::knob_text(told.most));
  std::string out;
  for (const KnobValue& value : told.axis.values) out += (out.empty() ? "" : ", ") + serve::knob_text(value);
  return "one of " + out;
}

std::vector<KnobValue> whole_values(const Told& told, const Place& place) {
  const auto* min = std::get_if<int64_t>(&told.least);
  const auto* max = std::get_if<int64_t>(&told.most);
  if (min == nullptr || max == nullptr) throw place.error("min and max must be whole numbers");
  const uint64_t span = static_cast<uint64_t>(*max) - static_cast<uint64_t>(*min);
  if (told.axis.type == KnobType::log_integer) {
    if (*min < 1) throw place.in("min").error("of a log_int it must be at least 1, not {}", *min);
    auto powers = log_int_range(*min, *max, 2);
    return powers.size() <= kThinned ? powers : thinned_log_range(*min, *max, kThinned);
  }
  return span < kAllListed ? int_range(*min, *max, 1) : thinned_range(*min, *max, kThinned);
}

std::vector<KnobValue> real_values(const Told& told, const Place& place) {
  const double min = number_of(told.least), max = number_of(told.most);
  if (told.axis.type == KnobType::real) return float_range(min, max, kReals);
  if (!(min > 0)) throw place.in("min").error("of a log_float it must be over 0, not {}", min);
  return log_float_range(min, max, kReals);
}

void read_range(const Members& members, const Place& place, Told& told) {
  told.least = scalar_in(members, "min", place);
  told.most = scalar_in(members, "max", place);
  if (!is_number(told.least) || !is_number(told.most)) throw place.error("min and max must be numbers");
  if (number_less(told.most, told.least))
    throw place.error("the range is empty: min {} is greater than max {}", serve::knob_text(told.least),
                      serve::knob_text(told.most));
  const bool whole = told.axis.type == KnobType::integer || told.axis.type == KnobType::log_integer;
  told.axis.values = whole ? whole_values(told, place) : real_values(told, place);
  // The present value joins the list, and is another tomorrow; the journal is of the same space all the same.
  told.axis.identity = fmt::format("{} to {}", serve::knob_text(told.least), serve::knob_text(told.most));
}

// The present value and the default are on the axis, if they are in its range.
void add_given(const Members& members, const Place& place, Told& told) {
  told.present = scalar_in(members, "value", place);
  const bool ranged = told.axis.type != KnobType::boolean && told.axis.type != KnobType::list;
  if (!in_range(told, told.present))
    throw place.in("value").error("{} is not {}", serve::knob_text(told.present), range_text(told));
  if (!ranged) return;
  insert_value(told.axis.values, told.present);
  if (find_member(members, "default") == nullptr) return;
  const KnobValue usual = scalar_in(members, "default", place);
  if (in_range(told, usual)) insert_value(told.axis.values, usual);
}

Told read_told(const Member& member, const Place& place) {
  const Members members = members_of(member.value, place);
  Told told;
  told.axis.name = member.key;
  told.axis.type = static_cast<KnobType>(word_of(needed(members, "type", place), place.in("type"),
                                                 {"int", "log_int", "float", "log_float", "list", "bool"}));
  if (told.axis.type == KnobType::boolean) {
    told.axis.values = {false, true};
  } else if (told.axis.type == KnobType::list) {
    told.axis.values = list_of(needed(members, "values", place), place.in("values"));
    told.axis.ordered = is_number(told.axis.values[0]);
  } else {
    read_range(members, place, told);
  }
  add_given(members, place, told);
  if (const Value* apply = find_member(members, "apply"))
    told.axis.apply =
        static_cast<ApplyClass>(word_of(*apply, place.in("apply"), {"hot", "reload", "restart"}));
  if (const Value* tunable = find_member(members, "tunable"))
    told.tunable = told.kept = flag_of(*tunable, place.in("tunable"));
  if (const Value* when = find_member(members, "when"))
    told.axis.when = expression_of(*when, place.in("when"));
  if (const Value* settle = find_member(members, "settle_ns")) {
    const auto ns = settle->as_int64();
    if (!ns || *ns < 0) throw place.in("settle_ns").error("a time in nanoseconds is wanted");
    told.settle_ns = *ns;
  }
  if (const Value* doc = find_member(members, "doc"); doc != nullptr && doc->kind == Kind::string)
    told.axis.doc = doc->text;
  return told;
}

// Keeps what the file has, with its values.
void narrow_to(std::vector<Told>& all, const Space& file, std::string_view where) {
  std::vector<std::string> names;
  for (Told& told : all) {
    names.push_back(told.axis.name);
    told.kept = false;
  }
  if (!file.derived().empty())
    throw input_error("{}: the endpoint's knobs can be narrowed or left out, but \"{}\" is derived", where,
                      file.derived()[0].name);
  for (const Axis& axis : file.axes()) {
    const auto told = std::ranges::find_if(all, [&](const Told& t) { return t.axis.name == axis.name; });
    if (told == all.end())
      throw input_error("{}: the endpoint has no knob \"{}\"{}", where, axis.name, meant(axis.name, names));
    if (!told->tunable)
      throw input_error("{}: the endpoint does not let a tuner move knob \"{}\"", where, axis.name);
    for (const KnobValue& value : axis.values)
      if (!in_range(*told, value))
        throw input_error("{}: the endpoint does not take {} for knob \"{}\", which is {}", where,
                          serve::knob_text(value), axis.name, range_text(*told));
    told->kept = true;
    told->axis.values = axis.values;
    told->axis.ordered = axis.ordered;
    told->axis.role = axis.role;
    if (axis.when && told->axis.when)
      told->axis.when = Expression::parse(
          fmt::format("({}) && ({})", told->axis.when->text(), axis.when->text()), machine_value);
    else if (axis.when)
      told->axis.when = axis.when;
  }
}

// What is not searched stands in conditions with its present value. A knob whose condition then never holds
// is not searched either, and so on until nothing changes.
Expression::Lookup present_values(const std::vector<Told>& all) {
  return [&all](std::string_view name) -> std::optional<KnobValue> {
    for (const Told& told : all)
      if (!told.kept && told.axis.name == name) return told.present;
    return std::nullopt;
  };
}

void drop_inactive(std::vector<Told>& all) {
  for (bool changed = true; changed;) {
    changed = false;
    for (Told& told : all) {
      if (!told.kept || !told.axis.when) continue;
      const Expression when = told.axis.when->with(present_values(all));
      if (!when.names().empty()) continue;
      told.kept = when.holds({});
      if (told.kept) told.axis.when.reset();
      changed = true;
    }
  }
}

std::vector<Expression> constraints_of(const Members& members, const Place& top) {
  std::vector<Expression> out;
  const Value* value = find_member(members, "constraints");
  if (value == nullptr) return out;
  std::vector<Value> elements;
  if (value->kind != Kind::array || !jsonl::read_elements(*value, elements))
    throw top.in("constraints").error("an array of texts is wanted");
  for (size_t k = 0; k < elements.size(); ++k)
    out.push_back(expression_of(elements[k], top.in("constraints").at(k)));
  return out;
}

std::string gen_text(const Value& value, const Place& place) {
  if (const auto gen = value.as_uint64()) return fmt::format("{}", *gen);
  return text_of(value, place);
}

}  // namespace

SchemaSpace space_from_schema(std::string_view schema_json, std::string_view where, const Space* narrow) {
  const Place top{std::string(where), ""};
  jsonl::OwnedObject object(schema_json);
  if (!object.ok()) throw top.error("no schema of knobs: {}", object.parser().error());
  const Members members(object.parser().members().begin(), object.parser().members().end());
  SchemaSpace out;
  out.model = text_of(needed(members, "model", top), top.in("model"));
  out.gen = gen_text(needed(members, "gen", top), top.in("gen"));
  const Place apply = top.in("apply");
  out.patch_path =
      text_of(needed(members_of(needed(members, "apply", top), apply), "path", apply), apply.in("path"));

  std::vector<Told> all;
  for (const Member& member : members_of(needed(members, "knobs", top), top.in("knobs")))
    all.push_back(read_told(member, top.in("knobs").in(member.key)));
  std::vector<Expression> constraints = constraints_of(members, top);
  if (narrow != nullptr) {
    narrow_to(all, *narrow, where);
    constraints.insert(constraints.end(), narrow->constraints().begin(), narrow->constraints().end());
  }
  drop_inactive(all);
  std::vector<Axis> axes;
  for (Told& told : all) {
    if (!told.kept) continue;
    if (told.axis.when) told.axis.when = told.axis.when->with(present_values(all));
    out.settle_ns = std::max(out.settle_ns, told.settle_ns);
    out.present.emplace_back(told.axis.name, told.present);
    axes.push_back(told.axis);
  }
  for (Expression& c : constraints) c = c.with(present_values(all));
  try {
    out.space =
        std::make_shared<const Space>(std::move(axes), std::vector<DerivedKnob>(), std::move(constraints));
  } catch (const Error& error) {
    throw top.error("{}", error.what());
  }
  return out;
}

}  // namespace mlq::tune
