#include "lib/tune/actuator/json.h"

#include <algorithm>
#include <charconv>

#include "lib/jsonl/object.h"

namespace mlq::tune {
namespace {

using jsonl::Kind;

Json from(const jsonl::Value& value);

Json from_object(const jsonl::Value& value) {
  std::vector<jsonl::Member> members;
  jsonl::read_members(value, members);
  Json::Object object;
  for (const jsonl::Member& member : members) {
    const auto same =
        std::ranges::find(object, member.key, [](const auto& m) { return std::string_view(m.first); });
    if (same == object.end())
      object.emplace_back(member.key, from(member.value));
    else
      same->second = from(member.value);
  }
  return Json(Json::Value(std::move(object)));
}

Json from_array(const jsonl::Value& value) {
  std::vector<jsonl::Value> elements;
  jsonl::read_elements(value, elements);
  Json::Array array;
  for (const jsonl::Value& element : elements) array.push_back(from(element));
  return Json(Json::Value(std::move(array)));
}

Json from(const jsonl::Value& value) {
  switch (value.kind) {
    case Kind::null:
      return Json();
    case Kind::boolean:
      return Json(Json::Value(value.boolean));
    case Kind::signed_integer:
      return Json(Json::Value(value.signed_integer));
    case Kind::unsigned_integer:
      return Json(Json::Value(value.unsigned_integer));
    case Kind::real:
      return Json(Json::Value(value.real));
    case Kind::string:
      return Json(Json::Value(std::string(value.text)));
    case Kind::array:
      return from_array(value);
    case Kind::object:
      return from_object(value);
  }
  return Json();
}

// An index of an array: digits without leading zeros, or "-" for the place behind the last.
std::optional<size_t> index_of(const std::string& token, size_t size) {
  if (token == "-") return size;
  if (token.empty() || (token.size() > 1 && token[0] == '0')) return std::nullopt;
  size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  if (error != std::errc() || end != token.data() + token.size()) return std::nullopt;
  return index;
}

// `value` inside the containers that `tokens` name from `k` on.
Json wrapped(const std::vector<std::string>& tokens, size_t k, Json value) {
  for (size_t t = tokens.size(); t-- > k;) {
    if (tokens[t] == "0" || tokens[t] == "-")
      value = Json(Json::Value(Json::Array{std::move(value)}));
    else
      value = Json(Json::Value(Json::Object{{tokens[t], std::move(value)}}));
  }
  return value;
}

void write_real(double value, jsonl::Buffer& out) {
  const size_t begin = out.size();
  out.number(value);
  if (out.view().substr(begin).find_first_of(".en") == std::string_view::npos) out.raw(".0");
}

}  // namespace

Json::Json(const KnobValue& value) : value_(std::visit([](const auto& v) { return Value(v); }, value)) {}

std::optional<Json> Json::parse(std::string_view text, std::string& error) {
  // The parser reads objects: the value is made the one member of one.
  jsonl::ObjectParser parser;
  if (!parser.parse_copy("{\"v\":" + std::string(text) + "}")) {
    error = parser.error();
    return std::nullopt;
  }
  const auto members = parser.members();
  if (members.size() != 1) {
    error = "more than one value";
    return std::nullopt;
  }
  return from(members[0].value);
}

std::optional<double> Json::number() const {
  if (const auto* i = as<int64_t>()) return static_cast<double>(*i);
  if (const auto* u = as<uint64_t>()) return static_cast<double>(*u);
  if (const auto* d = as<double>()) return *d;
  return std::nullopt;
}

std::optional<KnobValue> Json::knob() const {
  if (const auto* b = as<bool>()) return KnobValue(*b);
  if (const auto* i = as<int64_t>()) return KnobValue(*i);
  if (const auto* s = as<std::string>()) return KnobValue(*s);
  if (const auto real = number()) return KnobValue(*real);
  return std::nullopt;
}

const Json* Json::find(std::string_view key) const {
  const auto* object = as<Object>();
  if (object == nullptr) return nullptr;
  for (const auto& [name, value] : *object)
    if (name == key) return &value;
  return nullptr;
}

const Json* Json::at(const std::vector<std::string>& tokens) const {
  const Json* here = this;
  for (const std::string& token : tokens) {
    if (const auto* array = here->as<Array>()) {
      const auto index = index_of(token, array->size());
      here = index && *index < array->size() ? &(*array)[*index] : nullptr;
    } else {
      here = here->find(token);
    }
    if (here == nullptr) return nullptr;
  }
  return here;
}

bool Json::set(const std::vector<std::string>& tokens, Json value) {
  Json* here = this;
  for (size_t k = 0; k < tokens.size(); ++k) {
    if (auto* array = here->as<Array>()) {
      const auto index = index_of(tokens[k], array->size());
      if (!index || *index > array->size()) return false;
      if (*index == array->size()) {
        array->push_back(wrapped(tokens, k + 1, std::move(value)));
        return true;
      }
      here = &(*array)[*index];
    } else if (auto* object = here->as<Object>()) {
      const auto member = std::ranges::find(*object, tokens[k], [](const auto& m) { return m.first; });
      if (member == object->end()) {
        object->emplace_back(tokens[k], wrapped(tokens, k + 1, std::move(value)));
        return true;
      }
      here = &member->second;
    } else if (here->is_null()) {
      *here = wrapped(tokens, k, std::move(value));
      return true;
    } else {
      return false;
    }
  }
  *here = std::move(value);
  return true;
}

void Json::write(jsonl::Buffer& out) const {
  const auto list = [&](const auto& items, char open, char close, const auto& one) {
    out.raw(open);
    bool first = true;
    for (const auto& item : items) {
      if (!first) out.raw(',');
      first = false;
      one(item);
    }
    out.raw(close);
  };
  if (is_null()) return out.raw("null");
  if (const auto* b = as<bool>()) return out.boolean(*b);
  if (const auto* i = as<int64_t>()) return out.integer(*i);
  if (const auto* u = as<uint64_t>()) return out.integer(*u);
  if (const auto* d = as<double>()) return write_real(*d, out);
  if (const auto* s = as<std::string>()) {
    out.string(*s);
  } else if (const auto* array = as<Array>()) {
    list(*array, '[', ']', [&](const Json& item) { item.write(out); });
  } else if (const auto* object = as<Object>()) {
    list(*object, '{', '}', [&](const auto& member) {
      out.string(member.first);
      out.raw(':');
      member.second.write(out);
    });
  }
}

std::string Json::text() const {
  jsonl::Buffer out;
  write(out);
  return std::string(out.view());
}

}  // namespace mlq::tune
