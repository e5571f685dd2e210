// Simulated servers with a name: knobs, loads, and what each configuration makes of the server.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/tune/learn/history.h"
#include "lib/tune/surface/simulator.h"

namespace mlq::tune {

struct PresetLevel {
  std::string tag;   // "400", as in pool-batch@400
  std::string load;  // a spec of lib/arrival: "poisson --rate 400/s"
  double rate_per_s = 0;
};

// Immutable; there is one of each name.
struct Preset {
  std::string name;
  std::string text;  // one sentence
  std::vector<PresetLevel> levels;
  std::shared_ptr<const Space> space;  // three knobs of whole numbers
  // The server with these values of the knobs, in the order of the axes, under the load of levels[level].
  ServerModel (*model)(size_t level, const std::array<int64_t, 3>& knobs);

  ServerModel at(size_t level, PointId point) const;
};

const std::vector<Preset>& presets();

// `pool-batch` is all levels of that preset, `pool-batch@400` one of them.
struct PresetChoice {
  const Preset* preset = nullptr;
  std::vector<size_t> levels;  // indexes into preset->levels
  std::string name;
};
// preset is null if there is none of that name.
PresetChoice find_preset(std::string_view name);
// All names with one level each: what a comparison over all presets runs on.
std::vector<std::string> preset_names();

// The first `count` arrivals of a process of lib/arrival, fewer if it ends before. A usage Error for a spec
// that cannot be read. `data_dir` as in arrival::BuildContext.
std::vector<int64_t> make_arrivals(const std::string& spec, uint64_t count, uint64_t seed,
                                   const std::string& data_dir = {});

}  // namespace mlq::tune
