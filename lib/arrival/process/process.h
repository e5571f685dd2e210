// The processes: what there is, and how a spec becomes a source of times and marks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/process/block.h"
#include "lib/arrival/process/engine.h"
#include "lib/arrival/process/marks.h"
#include "lib/arrival/process/spec.h"
#include "lib/records/trace.h"

namespace mlq::arrival {

// Version of the sampling algorithms. The same spec, seed and version give the same bytes; a change of any of
// them that moves an event raises it and keeps the old one callable.
constexpr uint32_t kAlgo = 1;

struct ProcessInfo {
  std::string_view name;
  std::string_view argument;               // what its argument is called; empty if it takes none
  std::string_view summary;                // one sentence
  std::string_view formula;                // how arrivals are made
  std::vector<std::string_view> settings;  // its own, beside the common ones
};

// In the order of the help. Built once.
const std::vector<ProcessInfo>& process_infos();

struct PresetInfo {
  std::string_view name;
  std::string_view summary;
  std::string_view spec;  // what it stands for; `DATA/` is the folder of installed data
};
const std::vector<PresetInfo>& preset_infos();

// What stays outside a spec.
struct BuildContext {
  uint64_t seed = 1;
  uint32_t stream = 0;   // number of this source in a superposition, times 2^16
  std::string data_dir;  // folder of the data that comes with mlq
  bool emit_path = false;
};

// A process ready to run. Movable.
struct Process {
  std::unique_ptr<TimeSource> times;
  std::vector<Marks> marks;  // one for each source of a superposition, else one
  uint64_t episode = 0;      // arrivals an episode; 0: none
  std::string conditioned;   // `exact`, `rescaled` or empty; what run.conditioned says
};

// A preset's spec with its settings over those of the preset; any other spec as it is.
ProcessSpec expand_preset(const ProcessSpec& spec, const std::string& data_dir);

// Throws usage Errors for bad settings, input Errors for bad files.
Process make_process(const ProcessSpec& spec, const BuildContext& context);

// The gap law and rate path of a process that runs on the engine (fresh, for time rescaling of observed
// arrivals), or parts without a path for one that does not (deterministic, map, bmap, superpose, rate-file
// --counts keep).
EngineParts make_engine_parts(const ProcessSpec& spec, const BuildContext& context);

// True for the processes that are a gap law at a constant rate.
bool is_renewal(std::string_view process);

// True if the rate path is random, so that only the realised path tells R(t).
bool has_random_path(const ProcessSpec& spec, const std::string& data_dir);

// Theory: mean rate, CV of the gaps, index of dispersion in long windows.
records::Expected expected(const ProcessSpec& spec, const BuildContext& context);

}  // namespace mlq::arrival
