// What a container says of its model: GET /v2/models/M of the Open Inference Protocol.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/serve/protocol/split.h"

namespace mlq::serve {

struct Metadata {
  bool known = false;
  bool open_rows = false;  // there are inputs and outputs, and each has -1 in front
  std::string why_not;     // the tensor that has not, or what there is none of
  std::vector<DeclaredOutput> outputs;
  std::string text;  // as it came
  int64_t at_ns = 0;
};

// `known` stays false for what is no metadata.
Metadata read_metadata(std::string_view body);

}  // namespace mlq::serve
