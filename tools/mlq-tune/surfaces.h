// What the commands on recorded and simulated surfaces have in common.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/cli/program.h"
#include "lib/records/stream.h"
#include "lib/tune/compare/compare.h"
#include "lib/tune/surface/surface.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {

struct SurfaceArguments {
  std::vector<std::string> names;  // --surface
  std::string space;               // --space FILE
  std::string start;               // --start JSON
  std::string noise;               // --noise
  std::optional<double> spikes;
  tune::MissingPoint missing = tune::MissingPoint::nearest;
  uint64_t truth_requests = 60'000;
};

struct VirtualArguments {
  ObjectiveArguments objective;
  uint64_t trials = 100;
  uint64_t phase = 40;
  tune::Memory memory = tune::Memory::all;
  bool timing = false;
};

void add_surfaces(cli::Command& command, SurfaceArguments& a);
void add_virtual(cli::Command& command, VirtualArguments& a);

// `presets` stands for all of them. The runs of files go into run.inputs.
std::vector<std::shared_ptr<const tune::Surface>> open_surfaces(const SurfaceArguments& a,
                                                                cli::Context& context, records::Run& run);
tune::VirtualOptions virtual_options(const VirtualArguments& a, cli::Context& context, const Clock& clock);

// 8% or 0.08; from 0 to `most`.
double parse_share(std::string_view text, double most = 1);
// Requests of a simulated window: from 1 to tune::kMostSimulated.
uint64_t parse_simulated(std::string_view text);
// All presets in help texts: "pool-batch, pool-delay, rrl-cpu".
std::vector<cli::Choice> preset_choices();

}  // namespace mlq::tools
