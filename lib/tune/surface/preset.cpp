#include "lib/tune/surface/preset.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "lib/arrival/process/generate.h"

namespace mlq::tune {
namespace {

using Knobs = std::array<int64_t, 3>;

uint32_t count(int64_t value) { return static_cast<uint32_t>(value); }

// instances, threads, batch
ServerModel pool_batch(size_t, const Knobs& knobs) {
  ServerModel model;
  model.instances = count(knobs[0]);
  model.threads = count(knobs[1]);
  model.batch = count(knobs[2]);
  model.cores = 16;
  model.base_ns = 4e6;
  model.request_ns = 10e6;
  model.batch_power = 0.75;
  model.parallel = 0.85;
  model.sync = 0.015;
  model.oversubscribe = 0.4;
  model.sigma = 0.1;
  return model;
}

// instances, batch, delay_ms
ServerModel pool_delay(size_t, const Knobs& knobs) {
  ServerModel model;
  model.instances = count(knobs[0]);
  model.threads = 4;
  model.batch = count(knobs[1]);
  model.delay_ns = knobs[2] * 1'000'000;
  model.cores = 16;
  model.base_ns = 12e6;
  model.request_ns = 6e6;
  model.batch_power = 0.9;
  model.parallel = 0.9;
  model.sync = 0.015;
  model.oversubscribe = 0.4;
  model.sigma = 0.1;
  return model;
}

// inter, intra, batch_threads: TensorFlow Serving's, as in RRL. Operators that run side by side (inter) save
// some of the work and cost a little; 0 is the framework's choice, all cores. With 0 batch threads there is
// no batching, and each request is served at once.
ServerModel rrl_cpu(size_t level, const Knobs& knobs) {
  constexpr double kCores = 10;
  const double inter = knobs[0] == 0 ? kCores : static_cast<double>(knobs[0]);
  ServerModel model;
  model.instances = count(knobs[2]);
  model.threads = knobs[1] == 0 ? count(kCores) : count(knobs[1]);
  model.cores = kCores;
  const double work = (0.4 + 0.6 / std::min(inter, 4.0)) * (1 + 0.01 * (inter - 1));
  model.request_ns = (level == 0 ? 250e6 : 50e6) * work;
  model.parallel = 0.95;
  model.sync = 0.006;
  model.oversubscribe = 0.35;
  model.sigma = 0.08;
  return model;
}

const std::vector<int64_t> kBatches = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64};

std::vector<int64_t> range(int64_t first, int64_t last) {
  std::vector<int64_t> values;
  for (int64_t v = first; v <= last; ++v) values.push_back(v);
  return values;
}

Axis axis(std::string name, KnobType type, const std::vector<int64_t>& values, std::string doc) {
  Axis axis;
  axis.name = std::move(name);
  axis.type = type;
  axis.values.assign(values.begin(), values.end());
  axis.doc = std::move(doc);
  if (axis.name == "batch") axis.role = "batch";
  return axis;
}

std::shared_ptr<const Space> space(std::vector<Axis> axes) {
  return std::make_shared<const Space>(std::move(axes), std::vector<DerivedKnob>(),
                                       std::vector<Expression>());
}

std::vector<Preset> make_presets() {
  const std::vector<PresetLevel> pool_levels = {{"150", "poisson --rate 150/s", 150},
                                                {"400", "poisson --rate 400/s", 400},
                                                {"700", "poisson --rate 700/s", 700}};
  const Axis instances =
      axis("instances", KnobType::integer, range(1, 11), "Copies of the model that serve at once.");
  const Axis batch = axis("batch", KnobType::list, kBatches, "Most requests that are served together.");
  std::vector<Preset> all;
  all.push_back(
      {"pool-batch", "a pool of instances with threads and batches on 16 cores", pool_levels,
       space({instances, axis("threads", KnobType::integer, range(1, 11), "Threads of an instance."), batch}),
       pool_batch});
  all.push_back({"pool-delay", "a pool of instances of 4 threads whose batches wait to fill, on 16 cores",
                 pool_levels,
                 space({instances, batch,
                        axis("delay_ms", KnobType::list, {0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50},
                             "How long a request may wait for its batch to fill, in milliseconds.")}),
                 pool_delay});
  all.push_back(
      {"rrl-cpu",
       "TensorFlow Serving's three thread pools, as RRL tunes them, on 10 cores",
       {{"70ms", "poisson --gap 70ms", 1 / 0.070}, {"12ms", "poisson --gap 12ms", 1 / 0.012}},
       space(
           {axis("inter", KnobType::integer, range(0, 10), "Operators that run side by side; 0: all cores."),
            axis("intra", KnobType::integer, range(0, 10), "Threads of an operator; 0: all cores."),
            axis("batch_threads", KnobType::integer, range(0, 10),
                 "Requests that are served at once; 0: no limit.")}),
       rrl_cpu});
  return all;
}

}  // namespace

ServerModel Preset::at(size_t level, PointId point) const {
  Knobs knobs{};
  for (size_t k = 0; k < knobs.size(); ++k) knobs[k] = std::get<int64_t>(space->value(point, k));
  return model(level, knobs);
}

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = make_presets();
  return all;
}

PresetChoice find_preset(std::string_view name) {
  const size_t at = name.find('@');
  for (const Preset& preset : presets()) {
    if (preset.name != name.substr(0, at)) continue;
    PresetChoice choice{&preset, {}, std::string(name)};
    for (size_t level = 0; level < preset.levels.size(); ++level) {
      if (at == name.npos || preset.levels[level].tag == name.substr(at + 1)) choice.levels.push_back(level);
    }
    if (!choice.levels.empty()) return choice;
  }
  return {};
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets())
    for (const PresetLevel& level : preset.levels) names.push_back(preset.name + "@" + level.tag);
  return names;
}

std::vector<int64_t> make_arrivals(const std::string& spec, uint64_t count, uint64_t seed,
                                   const std::string& data_dir) {
  arrival::BuildContext context;
  context.seed = seed;
  context.data_dir = data_dir;
  arrival::ProcessSpec process = arrival::expand_preset(arrival::parse_spec(spec), data_dir);
  process.settings.emplace_back("count", std::to_string(count));
  arrival::Timeline timeline(arrival::make_process(process, context).times);
  std::vector<int64_t> times;
  while (times.size() < count && timeline.next(times)) {
  }
  times.resize(std::min<size_t>(times.size(), count));
  return times;
}

}  // namespace mlq::tune
