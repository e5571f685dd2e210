// Space and endpoint files to begin with, one for each kind of server. What they say of a server's interface
// are facts of its versions; mlq-tune check is the judge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlq::tune {

struct EndpointPreset {
  std::string_view name;
  std::string_view text;  // one sentence
};

// All there are. Any thread.
const std::vector<EndpointPreset>& endpoint_presets();
// The file, which parse_space_file reads; ends with a line feed. A usage Error for an unknown name, with the
// nearest that is known, or all.
std::string preset_text(std::string_view name);

}  // namespace mlq::tune
