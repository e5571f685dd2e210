#include "lib/tune/space/changed_point.h"

#include <algorithm>

#include "lib/base/error.h"

namespace mlq::tune {

PointId changed_point(const Space& space, PointId base, const Config& changes, std::string_view option) {
  Config config = space.config(base);
  for (const auto& [name, value] : changes) {
    const auto knob =
        std::find_if(config.begin(), config.end(), [&](const auto& k) { return k.first == name; });
    if (knob == config.end()) throw usage_error("{}: \"{}\" is no knob of the space", option, name);
    knob->second = value;
  }
  const auto point = space.find(config);
  if (!point) throw usage_error("{}: {} is no valid point of the space", option, config_json(config));
  return *point;
}

}  // namespace mlq::tune
