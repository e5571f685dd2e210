#include "tools/mlq-tune/surfaces.h"

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/tune/space/space_file.h"
#include "lib/tune/surface/preset.h"

namespace mlq::tools {

using cli::Context;

double parse_share(std::string_view text, double most) {
  const bool percent = text.ends_with('%');
  const double value = parse_double(percent ? text.substr(0, text.size() - 1) : text);
  const double share = percent ? value / 100 : value;
  if (!(share >= 0 && share <= most)) throw usage_error("\"{}\" must be from 0 to {}", text, most);
  return share;
}

uint64_t parse_simulated(std::string_view text) {
  const uint64_t requests = parse_count(text);
  if (requests < 1 || requests > tune::kMostSimulated)
    throw usage_error("\"{}\" must be from 1 to {}", text, tune::kMostSimulated);
  return requests;
}

std::vector<cli::Choice> preset_choices() {
  std::vector<cli::Choice> choices;
  for (const tune::Preset& preset : tune::presets()) choices.emplace_back(preset.name, preset.text);
  return choices;
}

void add_surfaces(cli::Command& command, SurfaceArguments& a) {
  std::vector<cli::Choice> names = preset_choices();
  names.emplace_back("presets", "each level of each of them");
  command.add(
      "Surface",
      {cli::text(
           "surface", "SURFACE",
           "A file of surface records, - for standard input, or a simulated server: all its levels, or one "
           "as in pool-batch@400.",
           a.names)
           .file()
           .suggest(std::move(names)),
       cli::text("space", "FILE", "Knobs and constraints of a surface file.", a.space)
           .file()
           .shown_default("the values that occur in it"),
       cli::text("start", "JSON", "The configuration that was there before, as in '{\"batch\":8}'.", a.start)
           .shown_default("the middle of the grid"),
       cli::value_option(
           "noise", "SHARE",
           "Noise of a window: 8%, or recorded, as large as the repeats in the file show. With it a "
           "window of a file is the mean of the point's repeats and noise.",
           a.noise,
           [](std::string_view text) {
             if (text != "recorded") parse_share(text, 10);
             return std::string(text);
           })
           .shown_default("8% of a simulated server; a file gives its repeats as they are"),
       cli::value_option("spikes", "SHARE", "Share of the windows that are 2 to 5 times as slow.", a.spikes,
                         [](std::string_view text) { return parse_share(text); })
           .shown_default("2% of a simulated server, else none"),
       cli::choice_option("missing", "HOW",
                          "A point that a file lacks: its nearest one, or the server refuses it.", a.missing,
                          {{"nearest", tune::MissingPoint::nearest}, {"refuse", tune::MissingPoint::refuse}}),
       cli::value_option("truth-requests", "N",
                         "Requests of the run that a simulated server's truth is taken from.",
                         a.truth_requests, parse_simulated)
           .shown_default("60000")});
}

void add_virtual(cli::Command& command, VirtualArguments& a) {
  command.add(
      "Run",
      {cli::value_option("trials", "N", "Trials of a run.", a.trials, cli::above_zero(parse_count))
           .shown_default("100"),
       cli::value_option("phase", "N",
                         "Trials after which a surface with several levels takes the next of them, "
                         "in turn.",
                         a.phase, cli::above_zero(parse_count))
           .shown_default("40"),
       cli::choice_option(
           "memory", "WHAT",
           "What is known when the level changes: all; what was learnt at this level; "
           "nothing (restart).",
           a.memory,
           {{"all", tune::Memory::all}, {"level", tune::Memory::level}, {"restart", tune::Memory::restart}}),
       cli::flag("timing", "Measure decisions; then no two runs give the same bytes.", a.timing)});
  add_objective(command, a.objective);
}

std::vector<std::shared_ptr<const tune::Surface>> open_surfaces(const SurfaceArguments& a, Context& context,
                                                                records::Run& run) {
  if (a.names.empty())
    throw usage_error(
        "--surface is missing: a file of surface records, or a simulated server such as pool-batch");
  tune::SurfaceOptions options;
  options.reader.strict = context.shared().strict;
  options.reader.allow_truncated = context.shared().allow_truncated;
  options.reader.stop = &context.stop();
  if (a.noise == "recorded")
    options.recorded_sigma = true;
  else if (!a.noise.empty())
    options.sigma = parse_share(a.noise, 10);
  options.spikes = a.spikes;
  options.missing = a.missing;
  options.truth_requests = a.truth_requests;
  if (!a.start.empty()) options.start = tune::parse_config(a.start, "--start");
  if (!a.space.empty()) {
    options.space = tune::read_space_file(a.space).space;
    if (!options.space) throw input_error("{}: knobs: there are none", a.space);
  }
  std::vector<std::shared_ptr<const tune::Surface>> surfaces;
  std::string runs;
  const auto add = [&](const std::string& name) {
    for (auto& surface : tune::open_surfaces(name, options, &runs)) surfaces.push_back(std::move(surface));
  };
  for (const std::string& name : a.names) {
    if (name != "presets") {
      add(name);
      continue;
    }
    for (const std::string& preset : tune::preset_names()) add(preset);
  }
  if (!runs.empty()) run.inputs = records::RawJson{"[" + runs + "]"};
  return surfaces;
}

tune::VirtualOptions virtual_options(const VirtualArguments& a, Context& context, const Clock& clock) {
  tune::VirtualOptions options;
  options.trials = a.trials;
  options.phase = a.phase;
  options.memory = a.memory;
  options.objective = make_objective(a.objective);
  options.seed = context.shared().seed;
  if (a.timing) options.timing = &clock;
  return options;
}

}  // namespace mlq::tools
