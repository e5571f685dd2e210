#include "lib/tune/actuator/fields.h"

#include <algorithm>

#include "lib/base/nearest.h"
#include "lib/base/units.h"

namespace mlq::tune {
Fields::Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (object.as<Json::Object>() == nullptr) throw input_error("{}: an object is wanted", where_);
}

const Json* Fields::find(std::string_view name) {
  known_.emplace_back(name);
  return object_.find(name);
}

const Json& Fields::need(std::string_view name) {
  const Json* found = find(name);
  if (found == nullptr) throw input_error("{}: \"{}\" is missing", where_, name);
  return *found;
}

std::optional<std::string> Fields::text(std::string_view name) {
  const Json* found = find(name);
  if (found == nullptr) return std::nullopt;
  const auto* text = found->as<std::string>();
  if (text == nullptr || text->empty()) throw input_error("{}: a text is wanted", where(name));
  return *text;
}

std::string Fields::need_text(std::string_view name) {
  need(name);
  return *text(name);
}

std::optional<bool> Fields::flag(std::string_view name) {
  const Json* found = find(name);
  if (found == nullptr) return std::nullopt;
  const auto* flag = found->as<bool>();
  if (flag == nullptr) throw input_error("{}: true or false is wanted", where(name));
  return *flag;
}

std::optional<int64_t> Fields::duration_ns(std::string_view name) {
  const Json* found = find(name);
  if (found == nullptr) return std::nullopt;
  if (found->number() == 0.0) return 0;
  const auto* text = found->as<std::string>();
  if (text == nullptr) throw input_error("{}: a duration such as \"2s\" is wanted", where(name));
  try {
    return parse_duration(*text);
  } catch (const Error& error) {
    throw input_error("{}: {}", where(name), error.what());
  }
}

std::optional<uint64_t> Fields::count(std::string_view name) {
  const Json* found = find(name);
  if (found == nullptr) return std::nullopt;
  const auto* count = found->as<int64_t>();
  if (count == nullptr || *count < 0) throw input_error("{}: a count is wanted", where(name));
  return static_cast<uint64_t>(*count);
}

std::optional<std::vector<std::string>> Fields::texts(std::string_view name) {
  const Json* found = find(name);
  if (found == nullptr) return std::nullopt;
  const auto* array = found->as<Json::Array>();
  if (array == nullptr || array->empty()) throw input_error("{}: an array of texts is wanted", where(name));
  std::vector<std::string> texts;
  for (const Json& element : *array) {
    const auto* text = element.as<std::string>();
    if (text == nullptr) throw input_error("{}: an array of texts is wanted", where(name));
    texts.push_back(*text);
  }
  return texts;
}

void Fields::end() const {
  for (const auto& [name, value] : *object_.as<Json::Object>()) {
    if (std::ranges::find(known_, name) != known_.end()) continue;
    const std::string near = nearest(name, known_);
    if (near.empty()) throw input_error("{}: there is no \"{}\" here", where_, name);
    throw input_error("{}: there is no \"{}\" here; did you mean \"{}\"?", where_, name, near);
  }
}

}  // namespace mlq::tune
