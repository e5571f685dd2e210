// Space and endpoint files to begin with, one for each kind of server. What they say of a server's interface
// are facts of its versions; mlq-tune check is the judge.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/tune/space/space.h"

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
// The same for a server that has these values now: they are its start, knobs that the preset lacks left out.
// A range keeps its width and gets the value in its middle, as far as its least value, which is what the
// preset begins with, lets it; a maximum that depends on the machine is only raised; a value between those of
// a list joins them. An input Error if the server has none of the preset's knobs.
std::string preset_from_live(std::string_view name, const Config& live);

}  // namespace mlq::tune
