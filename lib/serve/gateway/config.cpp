#include "lib/serve/gateway/config.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/http/url.h"
#include "lib/jsonl/object.h"

namespace mlq::serve {
namespace {

using jsonl::Kind;
using jsonl::Member;
using jsonl::Value;

// Where a message points: `serve.json: models.digits.replicas`.
struct Place {
  std::string text;
  Place in(std::string_view name) const {
    return {text + (text.ends_with(": ") ? "" : ".") + std::string(name)};
  }
  template <class... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    return input_error("{}: {}", text, fmt::format(format, std::forward<Args>(args)...));
  }
};

size_t common_prefix(std::string_view a, std::string_view b) {
  size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n]) ++n;
  return n;
}

Error unknown_member(const Place& place, std::string_view name, std::span<const std::string_view> known) {
  const auto best =
      std::ranges::max_element(known, {}, [&](std::string_view k) { return common_prefix(k, name); });
  if (best != known.end() && common_prefix(*best, name) >= 2)
    return place.error("there is no \"{}\" here; did you mean \"{}\"?", name, *best);
  return place.error("there is no \"{}\" here", name);
}

std::vector<Member> members_of(const Value& value, const Place& place) {
  std::vector<Member> out;
  if (value.kind != Kind::object || !jsonl::read_members(value, out))
    throw place.error("an object is wanted");
  return out;
}

void check_members(std::span<const Member> members, const Place& place,
                   std::span<const std::string_view> known) {
  for (size_t k = 0; k < members.size(); ++k) {
    if (std::ranges::find(known, members[k].key) == known.end())
      throw unknown_member(place, members[k].key, known);
    for (size_t j = 0; j < k; ++j)
      if (members[j].key == members[k].key) throw place.error("\"{}\" is there twice", members[k].key);
  }
}

std::string text_of(const Value& value, const Place& place) {
  if (value.kind != Kind::string || value.text.empty()) throw place.error("a text is wanted");
  return std::string(value.text);
}

std::vector<std::string> texts_of(const Value& value, const Place& place) {
  std::vector<std::string> out;
  if (value.kind != Kind::array || !jsonl::read_string_array(value, out))
    throw place.error("an array of texts is wanted");
  return out;
}

// Any JSON value as text.
std::string json_of(const Value& value) {
  if (value.kind == Kind::array || value.kind == Kind::object) return jsonl::json_text(value);
  jsonl::Buffer out;
  switch (value.kind) {
    case Kind::boolean:
      out.boolean(value.boolean);
      break;
    case Kind::signed_integer:
      out.integer(value.signed_integer);
      break;
    case Kind::unsigned_integer:
      out.integer(value.unsigned_integer);
      break;
    case Kind::real:
      out.number(value.real);
      break;
    case Kind::string:
      out.string(value.text);
      break;
    default:
      out.raw("null");
  }
  return std::string(out.view());
}

template <class T, size_t N>
T choice_of(const Value& value, const Place& place,
            const std::array<std::pair<std::string_view, T>, N>& choices) {
  std::string all;
  for (const auto& [name, choice] : choices) {
    if (value.kind == Kind::string && value.text == name) return choice;
    all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", name);
  }
  throw place.error("one of {} is wanted", all);
}

void check_url(const std::string& url, const Place& place) {
  try {
    if (http::parse_url(url).tls())
      throw place.error("{}: there is no TLS here; put a proxy in between", url);
  } catch (const Error& error) {
    if (error.kind() == ExitKind::input) throw;
    throw place.error("{}", error.what());
  }
}

std::map<std::string, KnobValue> knobs_of(const Value& value, const Place& place) {
  std::map<std::string, KnobValue> out;
  std::vector<KnobValue> values = model_knob_rows().defaults();
  for (const Member& member : members_of(value, place)) {
    if (out.contains(std::string(member.key))) throw place.error("\"{}\" is there twice", member.key);
    jsonl::Buffer patch;
    patch.raw('{');
    patch.string(member.key);
    patch.raw(':');
    patch.raw(json_of(member.value));
    patch.raw('}');
    if (const auto refusal = model_knob_rows().patch(patch.view(), values))
      throw place.error("{}", refusal->message);
    const auto rows = model_knob_rows().rows();
    const auto row = std::ranges::find(rows, member.key, &Knob::name);
    out.emplace(member.key, values[static_cast<size_t>(row - rows.begin())]);
  }
  return out;
}

constexpr std::array<std::string_view, 15> kModelMembers{
    "dialect",    "replicas",     "upstream_name",   "batchable",
    "idempotent", "batch_params", "forward_headers", "broadcast_outputs",
    "default",    "relay",        "warm_row",        "knobs",
    "path",       "rows",         "answers"};

constexpr std::array<std::pair<std::string_view, Dialect>, 3> kDialects{
    {{"v2", Dialect::v2}, {"v1", Dialect::v1}, {"plain", Dialect::plain}}};

void read_member(ModelConfig& m, const Member& member, const Place& at) {
  const Value& v = member.value;
  const std::string_view key = member.key;
  if (key == "dialect") m.dialect = choice_of(v, at, kDialects);
  if (key == "replicas") {
    m.replicas = texts_of(v, at);
    for (const std::string& url : m.replicas) check_url(url, at);
  }
  if (key == "upstream_name") m.upstream_name = text_of(v, at);
  if (key == "batchable") {
    if (v.kind == Kind::boolean)
      m.batchable = v.boolean ? Batchable::yes : Batchable::no;
    else
      m.batchable = choice_of<Batchable, 3>(
          v, at, {{{"auto", Batchable::automatic}, {"yes", Batchable::yes}, {"no", Batchable::no}}});
  }
  if (key == "idempotent") {
    if (v.kind != Kind::boolean) throw at.error("true or false is wanted");
    m.idempotent = v.boolean;
  }
  if (key == "batch_params") m.batch_params = texts_of(v, at);
  if (key == "forward_headers") {
    m.forward_headers = texts_of(v, at);
    for (std::string& name : m.forward_headers)
      std::ranges::transform(name, name.begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  }
  if (key == "broadcast_outputs") m.broadcast_outputs = texts_of(v, at);
  if (key == "default" && v.kind != Kind::null) m.default_output = json_of(v);
  if (key == "relay") {
    m.relay = texts_of(v, at);
    for (const std::string& prefix : m.relay)
      if (!prefix.starts_with('/')) throw at.error("\"{}\" must begin with /", prefix);
  }
  if (key == "warm_row" && v.kind != Kind::null) m.warm_row = json_of(v);
  if (key == "knobs") m.knobs = knobs_of(v, at);
  if (key == "path") {
    m.path = text_of(v, at);
    if (!m.path.starts_with('/')) throw at.error("it must begin with /");
  }
  if (key == "rows" || key == "answers") {
    const bool pointer = v.kind == Kind::string && (v.text.empty() || v.text.starts_with('/'));
    if (!pointer) throw at.error("a JSON pointer is wanted, as in \"/rows\"");
    (key == "rows" ? m.rows_pointer : m.answers_pointer) = v.text;
  }
}

void check_name(std::string_view name, const Place& place) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (name.empty() || !std::ranges::all_of(name, plain))
    throw place.error("\"{}\" cannot name a model; use letters, digits, -, _ and .", name);
}

ModelConfig read_model(const Value& value, std::string_view name, const Place& place) {
  check_name(name, place);
  ModelConfig model;
  model.name = model.upstream_name = name;
  const std::vector<Member> members = members_of(value, place);
  check_members(members, place, kModelMembers);
  for (const Member& member : members) read_member(model, member, place.in(member.key));
  if (model.replicas.empty()) throw place.in("replicas").error("at least one URL is wanted");
  knob_values(model);
  return model;
}

}  // namespace

ServeConfig parse_config(std::string_view text, std::string_view name) {
  const Place place{fmt::format("{}: ", name)};
  jsonl::OwnedObject file(text);
  if (!file.ok()) throw input_error("{}: {}", name, file.parser().error());
  constexpr std::array<std::string_view, 2> kMembers{"version", "models"};
  const Place top{std::string(name)};
  check_members(file.parser().members(), top, kMembers);
  const Value* version = file.parser().find("version");
  if (version != nullptr && version->as_int64() != 1) throw top.error("only version 1 is known");
  const Value* models = file.parser().find("models");
  if (models == nullptr) throw top.error("\"models\" is missing");
  ServeConfig config;
  for (const Member& member : members_of(*models, place.in("models"))) {
    const Place at = place.in("models").in(member.key);
    for (const ModelConfig& other : config.models)
      if (other.name == member.key) throw at.error("it is there twice");
    config.models.push_back(read_model(member.value, member.key, at));
  }
  if (config.models.empty()) throw place.in("models").error("there is no model in it");
  return config;
}

ModelConfig parse_model_config(std::string_view json, std::string_view model) {
  jsonl::OwnedObject wrapped(fmt::format("{{\"model\":{}}}", json));
  if (!wrapped.ok() || wrapped.parser().members().size() != 1)
    throw input_error("{}: no JSON object: {}", model, wrapped.parser().error());
  return read_model(wrapped.parser().members()[0].value, model, {std::string(model)});
}

ModelConfig parse_model_option(std::string_view text) {
  const size_t at = text.find('=');
  if (at == text.npos) throw usage_error("it must be NAME=URL[,URL..], as in digits=http://127.0.0.1:8001");
  ModelConfig model;
  model.name = model.upstream_name = text.substr(0, at);
  try {
    check_name(model.name, {"--model"});
    for (std::string_view rest = text.substr(at + 1); !rest.empty();) {
      const size_t end = std::min(rest.find(','), rest.size());
      model.replicas.emplace_back(rest.substr(0, end));
      check_url(model.replicas.back(), {"--model"});
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  } catch (const Error& error) {
    throw usage_error("{}", std::string_view(error.what()).substr(std::string_view("--model: ").size()));
  }
  if (model.replicas.empty()) throw usage_error("{} has no URL", model.name);
  return model;
}

std::vector<KnobValue> knob_values(const ModelConfig& config) {
  const KnobRows& rows = model_knob_rows();
  std::vector<KnobValue> values = rows.defaults();
  for (size_t k = 0; k < rows.rows().size(); ++k)
    if (const auto set = config.knobs.find(rows.rows()[k].name); set != config.knobs.end())
      values[k] = set->second;
  if (const auto refusal = rows.check(values)) throw input_error("{}: {}", config.name, refusal->message);
  return values;
}

}  // namespace mlq::serve
