// Dumps of gradients in a folder, for tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/simigrad/dump/step.h"
#include "tests/support/temp_dir.h"
#include "tests/tensorfile/files.h"

namespace mlq::simigrad::test {

using Metadata = std::map<std::string, std::string>;

inline Metadata place(uint64_t step, uint64_t group, uint64_t groups = 2, uint64_t samples = 8) {
  return {{"mlq.step", std::to_string(step)},
          {"mlq.group", std::to_string(group)},
          {"mlq.groups", std::to_string(groups)},
          {"mlq.samples", std::to_string(samples)}};
}

// A safetensors file of one-dimensional F32 tensors, or of another type of four bytes.
inline std::string dump_of(const Metadata& metadata, const std::map<std::string, std::vector<float>>& tensors,
                           std::string_view dtype = "F32") {
  std::string json = "{", data;
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) json += fmt::format("\"{}\":\"{}\",", key, value);
    json.back() = '}';
    json += ',';
  }
  for (const auto& [name, values] : tensors) {
    const size_t begin = data.size();
    if (!values.empty())
      data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    json += fmt::format("\"{}\":{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}},", name, dtype,
                        values.size(), begin, data.size());
  }
  json.back() = '}';
  return tensorfile::test::safetensors(json) + data;
}

}  // namespace mlq::simigrad::test
