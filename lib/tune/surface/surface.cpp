#include "lib/tune/surface/surface.h"

#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/tune/surface/preset.h"

namespace mlq::tune {

void add_noise(records::WindowStats& window, const SurfaceNoise& noise, Draws& draws) {
  if (noise.sigma <= 0 && noise.spikes <= 0) return;
  double factor = fmath::exp(noise.sigma * draws.normal());
  const double work = fmath::exp(noise.sigma * draws.normal());  // CPU time knows nothing of waiting
  const bool spike = draws.uniform() < noise.spikes;
  const double height = 2 + 3 * draws.uniform();
  if (spike) factor *= height;
  const auto scale = [](std::optional<int64_t>& ns, double by) {
    if (ns) ns = static_cast<int64_t>(static_cast<double>(*ns) * by + 0.5);
  };
  scale(window.latency_mean_ns, factor);
  scale(window.latency_p50_ns, factor);
  scale(window.latency_p95_ns, factor);
  scale(window.latency_p99_ns, factor);
  scale(window.cpu_ns_per_request, work);
}

std::vector<std::shared_ptr<const Surface>> open_surfaces(const std::string& preset_or_file,
                                                          const SurfaceOptions& options, std::string* runs) {
  if (find_preset(preset_or_file).preset != nullptr) return {make_preset_surface(preset_or_file, options)};
  if (preset_or_file != "-" && ::access(preset_or_file.c_str(), F_OK) != 0) {
    std::string names;
    for (const Preset& preset : presets()) names += (names.empty() ? "" : ", ") + preset.name;
    throw input_error(
        "{}: no such file, and no preset: those are {}, or one level of them as in pool-batch@400",
        preset_or_file, names);
  }
  records::Reader reader(preset_or_file, options.reader);
  auto surfaces = read_surfaces(reader, options);
  reader.finish();
  if (runs != nullptr && !reader.runs().empty()) *runs += (runs->empty() ? "" : ",") + reader.runs_json();
  return surfaces;
}

}  // namespace mlq::tune
