#include "lib/tune/actuator/fields.h"

#include <algorithm>
#include <numeric>

#include "lib/base/units.h"

namespace mlq::tune {
namespace {

// Levenshtein's distance, a row at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view given, std::span<const std::string> known) {
  if (given.size() > 64) return {};
  std::string_view best;
  size_t least = std::max<size_t>(2, given.size() / 3) + 1;
  for (const std::string& word : known)
    if (const size_t d = edit_distance(given, word); d < least) {
      least = d;
      best = word;
    }
  return best;
}

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
    const std::string_view near = nearest_word(name, known_);
    if (near.empty()) throw input_error("{}: there is no \"{}\" here", where_, name);
    throw input_error("{}: there is no \"{}\" here; did you mean \"{}\"?", where_, name, near);
  }
}

}  // namespace mlq::tune
