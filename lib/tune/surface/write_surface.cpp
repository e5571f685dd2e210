#include "lib/tune/surface/write_surface.h"

#include <atomic>
#include <thread>
#include <vector>

#include "lib/base/error.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/measure/level.h"

namespace mlq::tune {
namespace {

// The windows of all points under one load.
struct Pass {
  size_t level = 0;  // of the preset
  uint64_t repeat = 0;
  double rate_per_s = 0;
  std::vector<int64_t> arrivals;
  std::vector<records::WindowStats> windows;
};

void run_pass(const Preset& preset, uint64_t seed, unsigned threads, const StopFlag& stop, Pass& pass) {
  const auto points = preset.space->points();
  const ServiceNoise noise(seed, preset.at(pass.level, points.front()).sigma, pass.arrivals.size());
  pass.windows.resize(points.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    SimulatedRun run;
    for (size_t k = next++; k < points.size() && !stop; k = next++) {
      simulate(preset.at(pass.level, points[k]), pass.arrivals, noise.factors(), run);
      pass.windows[k] = window_of(run, pass.arrivals.back());
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned t = 1; t < threads; ++t) helpers.emplace_back(work);
  work();
}

void write_pass(const PresetChoice& choice, const Pass& pass, records::Writer& writer) {
  const Space& space = *choice.preset->space;
  records::SurfaceRow row;
  row.surface = choice.name;
  row.level = level_of(pass.rate_per_s, std::nullopt).name;
  row.rate_per_s = pass.rate_per_s;
  row.repeat = pass.repeat;
  row.apply_ns = static_cast<int64_t>(apply_seconds(ApplyClass::hot) * 1e9);
  row.apply_class = std::string(apply_class_name(ApplyClass::hot));
  for (size_t k = 0; k < space.points().size(); ++k) {
    static_cast<records::WindowFigures&>(row) = pass.windows[k];
    row.config = records::RawJson{config_json(space.config(space.points()[k]))};
    row.window_ns = pass.windows[k].window_ns;
    row.requests = pass.windows[k].requests;
    writer.write(row);
  }
}

}  // namespace

void write_surface(const PresetChoice& choice, const WriteSurfaceOptions& options, records::Writer& writer,
                   const StopFlag& stop, const std::function<void(uint64_t, uint64_t)>& progress) {
  if (!options.arrivals.empty() && choice.levels.size() > 1)
    throw usage_error("--arrivals takes a preset with one level, as in {}@{}", choice.preset->name,
                      choice.preset->levels.front().tag);
  const uint64_t passes = choice.levels.size() * options.repeats;
  const uint64_t points = choice.preset->space->points().size();
  for (uint64_t k = 0; k < passes && !stop; ++k) {
    Pass pass;
    pass.level = choice.levels[k / options.repeats];
    pass.repeat = k % options.repeats;
    const PresetLevel& load = choice.preset->levels[pass.level];
    const uint64_t seed = options.seed + pass.repeat;
    pass.arrivals = make_arrivals(options.arrivals.empty() ? load.load : options.arrivals, options.requests,
                                  seed, options.data_dir);
    if (pass.arrivals.empty() || pass.arrivals.back() <= 0) throw input_error("there are no arrivals");
    pass.rate_per_s = load.rate_per_s;
    if (!options.arrivals.empty())
      pass.rate_per_s =
          static_cast<double>(pass.arrivals.size()) / (static_cast<double>(pass.arrivals.back()) * 1e-9);
    run_pass(*choice.preset, seed, options.threads, stop, pass);
    if (stop) return;
    write_pass(choice, pass, writer);
    if (progress) progress((k + 1) * points, passes * points);
  }
}

}  // namespace mlq::tune
