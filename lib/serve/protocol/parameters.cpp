#include "lib/serve/protocol/parameters.h"

#include <fmt/format.h>

#include <algorithm>

namespace mlq::serve {
namespace {

bool is_scalar(std::string_view value) { return value[0] != '{' && value[0] != '[' && value[0] != 'n'; }

}  // namespace

bool read_parameters(JsonCursor& cursor, std::vector<Parameter>& out, std::string_view& alone) {
  const size_t before = out.size();
  const auto go_alone = [&] {
    if (alone.empty()) alone = "parameters that cannot be compared";
  };
  const bool read = cursor.object([&](std::string_view name, size_t) {
    Parameter& parameter = out.emplace_back();
    parameter.name = name;
    if (!cursor.value(parameter.value)) return false;
    if (!is_scalar(parameter.value) || name.find('\\') != std::string_view::npos) go_alone();
    return true;
  });
  if (!read) return false;
  std::vector<std::string_view> names;
  for (size_t k = before; k < out.size(); ++k) names.push_back(out[k].name);
  std::ranges::sort(names);
  const auto twin = std::ranges::adjacent_find(names);
  if (twin == names.end()) return true;
  const auto at = static_cast<size_t>(twin->data() - cursor.text().data());
  return cursor.fail(at, fmt::format("the parameter \"{}\" stands there twice", twin->substr(0, 40)));
}

std::optional<uint64_t> bytes_elements(std::string_view data) {
  uint64_t count = 0;
  for (; !data.empty(); ++count)
    if (!take_bytes_element(data)) return std::nullopt;
  return count;
}

}  // namespace mlq::serve
