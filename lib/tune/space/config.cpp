// Configurations as text and as values.
#include <algorithm>

#include <fmt/format.h>
#include <xxhash.h>

#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "lib/tune/space/space.h"
#include "lib/tune/space/values.h"

namespace mlq::tune {

std::string_view apply_class_name(ApplyClass c) {
  constexpr std::string_view kNames[] = {"hot", "reload", "restart"};
  return kNames[static_cast<size_t>(c)];
}

double apply_seconds(ApplyClass c) {
  constexpr double kSeconds[] = {0.01, 5, 60};
  return kSeconds[static_cast<size_t>(c)];
}

std::string config_json(const Config& config) {
  jsonl::Buffer out;
  out.raw('{');
  for (size_t k = 0; k < config.size(); ++k) {
    if (k > 0) out.raw(',');
    out.string(config[k].first);
    out.raw(':');
    serve::write_knob_value(config[k].second, out);
  }
  out.raw('}');
  return std::string(out.view());
}

std::string config_id(const Config& config) {
  Config sorted = config;
  std::ranges::stable_sort(sorted, {}, &Config::value_type::first);
  const std::string json = config_json(sorted);
  return fmt::format("{:016x}", XXH3_64bits(json.data(), json.size())).substr(0, 8);
}

bool is_number(const KnobValue& value) {
  return std::holds_alternative<int64_t>(value) || std::holds_alternative<double>(value);
}

double number_of(const KnobValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  return std::get<double>(value);
}

bool number_less(const KnobValue& a, const KnobValue& b) {
  const auto* i = std::get_if<int64_t>(&a);
  const auto* j = std::get_if<int64_t>(&b);
  return i != nullptr && j != nullptr ? *i < *j : number_of(a) < number_of(b);
}

bool same_value(const KnobValue& a, const KnobValue& b) {
  if (a.index() == b.index()) return a == b;
  if (!is_number(a) || !is_number(b)) return false;
  const auto* whole = std::get_if<int64_t>(&a);
  if (whole == nullptr) return same_value(b, a);
  const double real = std::get<double>(b);
  // Beyond this range the conversion back would not be defined.
  const bool in_range = real >= -0x1p63 && real < 0x1p63;
  return in_range && static_cast<double>(*whole) == real && static_cast<int64_t>(real) == *whole;
}

std::optional<KnobValue> value_of_json(const jsonl::Value& value) {
  switch (value.kind) {
    case jsonl::Kind::boolean:
      return value.boolean;
    case jsonl::Kind::signed_integer:
      return value.signed_integer;
    case jsonl::Kind::unsigned_integer:
      return static_cast<double>(value.unsigned_integer);
    case jsonl::Kind::real:
      return value.real;
    case jsonl::Kind::string:
      return std::string(value.text);
    default:
      return std::nullopt;
  }
}

Config config_of_members(std::span<const jsonl::Member> members, std::string_view where) {
  Config out;
  for (const jsonl::Member& member : members) {
    for (const auto& [name, value] : out)
      if (name == member.key) throw input_error("{}: \"{}\" is there twice", where, name);
    auto value = value_of_json(member.value);
    if (!value) throw input_error("{}: \"{}\" must be a number, a string, true or false", where, member.key);
    out.emplace_back(member.key, std::move(*value));
  }
  return out;
}

Config parse_config(std::string_view json, std::string_view where) {
  jsonl::OwnedObject object(json);
  if (!object.ok()) throw input_error("{}: no configuration: {}", where, object.parser().error());
  return config_of_members(object.parser().members(), where);
}

}  // namespace mlq::tune
