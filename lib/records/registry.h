// Every record type of mlq, for the documentation and for the test that no output has an undocumented field.
#pragma once

#include <string_view>
#include <vector>

namespace mlq::records {

struct FieldInfo {
  std::string_view name;
  std::string_view type;
  std::string_view unit;  // empty where there is none
  bool required;
  std::string_view text;
};

struct TypeInfo {
  std::string_view type;
  std::string_view summary;
  std::vector<FieldInfo> fields;
};

// In the order in which the page shows them. Built on the first call; thread-safe.
const std::vector<TypeInfo>& registry();

}  // namespace mlq::records
