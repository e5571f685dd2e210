#include "lib/serve/control/knobs.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/jsonl/object.h"

namespace mlq::serve {
namespace {

std::string_view type_word(KnobType type) {
  constexpr std::string_view kWords[] = {"int", "log_int", "float", "log_float", "list", "bool"};
  return kWords[static_cast<size_t>(type)];
}

std::string_view unit_word(KnobUnit unit) {
  constexpr std::string_view kWords[] = {"", "rows", "batches", "requests", "bytes", "ns", "threads"};
  return kWords[static_cast<size_t>(unit)];
}

bool whole(KnobType type) { return type == KnobType::integer || type == KnobType::log_integer; }
bool is_real(KnobType type) { return type == KnobType::real || type == KnobType::log_real; }

// Levenshtein's distance.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string range_text(const Knob& knob) {
  if (knob.type == KnobType::boolean) return "true or false";
  if (knob.type != KnobType::list) return knob_text(knob.least) + " to " + knob_text(knob.most);
  std::string out;
  for (const KnobValue& choice : knob.choices) out += (out.empty() ? "" : ", ") + knob_text(choice);
  return "one of " + out;
}

KnobRefusal out_of_range(const Knob& knob, std::string_view given) {
  const std::string_view unit = unit_word(knob.unit);
  return {422, fmt::format("knob \"{}\" cannot be {}; it is {}{}{}", knob.name, given, range_text(knob),
                           unit.empty() ? "" : " ", unit)};
}

// A number in the words of the command line: "2ms", "16MiB", "64", "0.9".
std::optional<KnobValue> parse_number(const Knob& knob, std::string_view text) {
  try {
    if (is_real(knob.type)) return parse_double(text);
    switch (knob.unit) {
      case KnobUnit::ns: {
        const bool bare = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
        return bare ? static_cast<int64_t>(parse_count(text)) : parse_duration(text);
      }
      case KnobUnit::bytes:
        return static_cast<int64_t>(parse_size(text));
      default:
        return static_cast<int64_t>(parse_count(text));
    }
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool in_range(const Knob& knob, const KnobValue& value) {
  if (knob.type == KnobType::boolean) return std::holds_alternative<bool>(value);
  if (knob.type == KnobType::list)
    return std::find(knob.choices.begin(), knob.choices.end(), value) != knob.choices.end();
  return value.index() == knob.least.index() && !(value < knob.least) && !(knob.most < value);
}

std::optional<KnobValue> from_text(const Knob& knob, std::string_view text) {
  if (knob.type == KnobType::boolean) {
    if (text == "true" || text == "on" || text == "1") return true;
    if (text == "false" || text == "off" || text == "0") return false;
    return std::nullopt;
  }
  if (knob.type == KnobType::list && std::holds_alternative<std::string>(knob.choices.front()))
    return std::string(text);
  return parse_number(knob, text);
}

std::optional<KnobValue> from_json(const Knob& knob, const jsonl::Value& value) {
  if (value.kind == jsonl::Kind::string) return from_text(knob, value.text);
  if (value.kind == jsonl::Kind::boolean) return value.boolean;
  if (is_real(knob.type)) {
    if (const auto real = value.as_double()) return *real;
  } else if (const auto integer = value.as_int64()) {
    return *integer;
  }
  return std::nullopt;
}

std::string json_word(const jsonl::Value& value) {
  switch (value.kind) {
    case jsonl::Kind::null:
      return "null";
    case jsonl::Kind::boolean:
      return value.boolean ? "true" : "false";
    case jsonl::Kind::signed_integer:
      return fmt::format("{}", value.signed_integer);
    case jsonl::Kind::unsigned_integer:
      return fmt::format("{}", value.unsigned_integer);
    case jsonl::Kind::real:
      return fmt::format("{}", value.real);
    case jsonl::Kind::string:
      return fmt::format("\"{}\"", value.text);
    case jsonl::Kind::array:
      return "an array";
    case jsonl::Kind::object:
      return "an object";
  }
  return {};
}

Knob number(std::string name, KnobType type, KnobValue least, KnobValue most, std::string text) {
  Knob knob;
  knob.name = std::move(name);
  knob.type = type;
  knob.least = std::move(least);
  knob.most = std::move(most);
  knob.text = std::move(text);
  return knob;
}

}  // namespace

void write_knob_value(const KnobValue& value, jsonl::Buffer& out) {
  if (const auto* b = std::get_if<bool>(&value))
    out.boolean(*b);
  else if (const auto* i = std::get_if<int64_t>(&value))
    out.integer(*i);
  else if (const auto* d = std::get_if<double>(&value))
    out.number(*d);
  else
    out.string(std::get<std::string>(value));
}

std::string knob_text(const KnobValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  jsonl::Buffer out;
  write_knob_value(value, out);
  return std::string(out.view());
}

Knob int_knob(std::string name, int64_t least, int64_t most, std::string text) {
  return number(std::move(name), KnobType::integer, least, most, std::move(text));
}
Knob log_int_knob(std::string name, int64_t least, int64_t most, std::string text) {
  return number(std::move(name), KnobType::log_integer, least, most, std::move(text));
}
Knob real_knob(std::string name, double least, double most, std::string text) {
  return number(std::move(name), KnobType::real, least, most, std::move(text));
}
Knob bool_knob(std::string name, std::string text) {
  return number(std::move(name), KnobType::boolean, false, true, std::move(text));
}
Knob list_knob(std::string name, std::vector<KnobValue> choices, std::string text) {
  Knob knob = number(std::move(name), KnobType::list, false, false, std::move(text));
  knob.choices = std::move(choices);
  return knob;
}

KnobRows::KnobRows(std::vector<Knob> rows, std::vector<KnobConstraint> constraints,
                   std::vector<KnobValue> defaults)
    : rows_(std::move(rows)), constraints_(std::move(constraints)), defaults_(std::move(defaults)) {
  for (size_t k = 0; k < rows_.size(); ++k)
    if (!in_range(rows_[k], defaults_[k]))
      throw Error(ExitKind::bug, "the default of knob " + rows_[k].name + " is out of its range");
}

std::optional<size_t> KnobRows::find(std::string_view name) const {
  for (size_t k = 0; k < rows_.size(); ++k)
    if (rows_[k].name == name) return k;
  return std::nullopt;
}

std::string_view KnobRows::nearest(std::string_view name) const {
  std::string_view best;
  size_t least = std::max<size_t>(2, name.size() / 3) + 1;
  for (const Knob& knob : rows_)
    if (const size_t d = edit_distance(name, knob.name); d < least) {
      least = d;
      best = knob.name;
    }
  return best;
}

KnobRefusal KnobRows::unknown(std::string_view name) const {
  const std::string_view near = nearest(name);
  if (near.empty()) return {400, fmt::format("there is no knob \"{}\"", name)};
  return {400, fmt::format("there is no knob \"{}\"; did you mean \"{}\"?", name, near)};
}

std::optional<KnobRefusal> KnobRows::check(const std::vector<KnobValue>& values) const {
  for (const KnobConstraint& constraint : constraints_)
    if (!constraint.holds(values)) return KnobRefusal{422, "the knobs must keep " + constraint.text};
  return std::nullopt;
}

std::optional<KnobRefusal> KnobRows::set(std::string_view name, std::string_view text,
                                         std::vector<KnobValue>& values) const {
  const auto at = find(name);
  if (!at) return unknown(name);
  const auto value = from_text(rows_[*at], text);
  if (!value || !in_range(rows_[*at], *value)) return out_of_range(rows_[*at], fmt::format("\"{}\"", text));
  values[*at] = *value;
  return std::nullopt;
}

std::optional<KnobRefusal> KnobRows::patch(std::string_view json, std::vector<KnobValue>& values) const {
  jsonl::OwnedObject object(json);
  if (!object.ok()) return KnobRefusal{400, "the patch is no JSON object: " + object.parser().error()};
  std::vector<KnobValue> patched = values;
  std::vector<bool> seen(rows_.size());
  for (const jsonl::Member& member : object.parser().members()) {
    const auto at = find(member.key);
    if (!at) return unknown(member.key);
    if (seen[*at]) return KnobRefusal{400, fmt::format("knob \"{}\" is there twice", member.key)};
    seen[*at] = true;
    if (member.value.kind == jsonl::Kind::null) {
      patched[*at] = defaults_[*at];
      continue;
    }
    const auto value = from_json(rows_[*at], member.value);
    if (!value || !in_range(rows_[*at], *value)) return out_of_range(rows_[*at], json_word(member.value));
    patched[*at] = *value;
  }
  if (auto refusal = check(patched)) return refusal;
  values = std::move(patched);
  return std::nullopt;
}

void KnobRows::write_values(const std::vector<KnobValue>& values, jsonl::Buffer& out) const {
  for (size_t k = 0; k < rows_.size(); ++k) {
    out.raw(k == 0 ? '{' : ',');
    out.string(rows_[k].name);
    out.raw(':');
    write_knob_value(values[k], out);
  }
  out.raw('}');
}

void KnobRows::write_schema(const std::vector<KnobValue>& values, const KnobSchemaFacts& facts,
                            jsonl::Buffer& out) const {
  const auto text = [&](std::string_view key, std::string_view value) {
    out.raw(key);
    out.string(value);
  };
  const auto value = [&](std::string_view key, const KnobValue& v) {
    out.raw(key);
    write_knob_value(v, out);
  };
  text(R"({"version":1,"model":)", facts.model);
  out.raw(R"(,"gen":)");
  out.integer(facts.gen);
  text(R"(,"apply":{"method":"PATCH","path":)", facts.path);
  out.raw(R"(},"knobs":{)");
  for (size_t k = 0; k < rows_.size(); ++k) {
    const Knob& knob = rows_[k];
    if (k > 0) out.raw(',');
    out.string(knob.name);
    text(R"(:{"type":)", type_word(knob.type));
    if (whole(knob.type) || is_real(knob.type)) {
      value(R"(,"min":)", knob.least);
      value(R"(,"max":)", knob.most);
    } else if (knob.type == KnobType::list) {
      out.raw(R"(,"values":[)");
      for (size_t j = 0; j < knob.choices.size(); ++j) value(j == 0 ? "" : ",", knob.choices[j]);
      out.raw(']');
    }
    value(R"(,"default":)", defaults_[k]);
    value(R"(,"value":)", values[k]);
    if (knob.unit != KnobUnit::none) text(R"(,"unit":)", unit_word(knob.unit));
    text(R"(,"apply":)", "hot");
    out.raw(R"(,"settle_ns":)");
    out.integer(facts.settle_ns);
    out.raw(R"(,"tunable":)");
    out.boolean(knob.tunable);
    if (!knob.when.empty()) text(R"(,"when":)", knob.when);
    text(R"(,"doc":)", knob.text);
    out.raw('}');
  }
  out.raw(R"(},"constraints":[)");
  for (size_t k = 0; k < constraints_.size(); ++k) text(k == 0 ? "" : ",", constraints_[k].text);
  out.raw("]}");
}

std::string KnobRows::describe() const {
  std::string out;
  for (size_t k = 0; k < rows_.size(); ++k) {
    const std::string_view unit = unit_word(rows_[k].unit);
    out += fmt::format("{}: {}{}{}; default {}. {}\n", rows_[k].name, range_text(rows_[k]),
                       unit.empty() ? "" : " ", unit, knob_text(defaults_[k]), rows_[k].text);
  }
  return out;
}

}  // namespace mlq::serve
