// The public traces that importers are tested on: a directory of public traces beside the checkout, see docs.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace mlq::test {

// MLQ_TRACES, or the usual place.
inline std::string traces_folder() {
  const char* folder = std::getenv("MLQ_TRACES");
  return folder != nullptr ? folder : MLQ_SOURCE_DIR "/../shared/traces";
}

// A file of that directory; empty if it is not there.
inline std::string trace_file(const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(traces_folder()) / name;
  return std::filesystem::exists(path) ? path.string() : "";
}

}  // namespace mlq::test

// Begins a test on real files.
#define MLQ_NEED_TRACE(variable, name)                                \
  const std::string variable = mlq::test::trace_file(name);           \
  if (variable.empty())                                               \
  GTEST_SKIP() << name << " is not in " << mlq::test::traces_folder() \
               << "; MLQ_TRACES names the directory of traces"
