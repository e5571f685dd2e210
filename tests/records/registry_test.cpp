#include "lib/records/registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mlq::records {
namespace {

TEST(Registry, EveryTypeHasOneOwner) {
  std::set<std::string_view> names;
  for (const TypeInfo& type : registry()) EXPECT_TRUE(names.insert(type.type).second) << type.type;
  for (const char* wanted : {"run", "end", "arrival", "bin", "rate", "trace_stat", "idc", "acf", "qq", "hist",
                             "test", "verdict", "expected"}) {
    EXPECT_TRUE(names.contains(wanted)) << wanted;
  }
}

TEST(Registry, EveryFieldIsNamedOnceAndInSnakeCase) {
  for (const TypeInfo& type : registry()) {
    std::set<std::string_view> names;
    for (const FieldInfo& field : type.fields) {
      EXPECT_TRUE(names.insert(field.name).second) << type.type << '.' << field.name;
      EXPECT_EQ(field.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos)
          << field.name;
    }
  }
}

TEST(Registry, EveryTextIsASentence) {
  for (const TypeInfo& type : registry()) {
    EXPECT_TRUE(type.summary.ends_with('.')) << type.type;
    for (const FieldInfo& field : type.fields)
      EXPECT_TRUE(field.text.ends_with('.')) << type.type << '.' << field.name;
  }
}

TEST(Registry, ANameThatCarriesAUnitIsDeclaredWithIt) {
  const auto unit_of = [](std::string_view name) -> std::string_view {
    if (name.ends_with("_ns")) return "ns";
    if (name.ends_with("_bytes")) return "bytes";
    if (name.ends_with("_tokens_per_s")) return "tokens/s";
    if (name.ends_with("_bytes_per_s")) return "bytes/s";
    if (name.ends_with("rows_per_s")) return "rows/s";
    if (name.ends_with("_per_s")) return "1/s";
    return {};
  };
  for (const TypeInfo& type : registry()) {
    for (const FieldInfo& field : type.fields) {
      const std::string_view unit = unit_of(field.name);
      // bad_bytes counts bytes; it measures nothing.
      if (unit.empty() || field.name == "bad_bytes") continue;
      EXPECT_EQ(field.unit, unit) << type.type << '.' << field.name;
    }
  }
}

}  // namespace
}  // namespace mlq::records
