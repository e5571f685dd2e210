// mlq-tune init: a space and endpoint file to begin with.
#include <fmt/format.h>

#include <memory>

#include "lib/base/io.h"
#include "lib/tune/preset/preset.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct InitArguments {
  std::string preset;
  TargetArguments target;
};

ExitKind init(InitArguments& a, Context& context) {
  if (a.preset.empty()) throw usage_error("--preset is missing; which kind of server?");
  std::string text = tune::preset_text(a.preset);
  if (!a.target.endpoint.empty()) {
    const SteadyClock clock;
    const Target target = make_target(a.target, context, clock);
    const auto live = target.endpoint.actuator->read(context.stop());
    if (!live) throw environment_error("{}: nothing can be read back from it", target.endpoint.name);
    text = tune::preset_from_live(a.preset, *live);
  }
  Output output = Output::open(context.shared().output);
  output.write(text);
  output.close();
  return ExitKind::done;
}

}  // namespace

cli::Command init_command() {
  const auto arguments = std::make_shared<InitArguments>();
  InitArguments& a = *arguments;
  cli::Command command;
  command.name = "init";
  command.summary = "Write a space and endpoint file to begin with.";
  command.description =
      "Bare text on standard output: the knobs of a kind of server with ranges that make sense, and how they "
      "are set "
      "and read back. Edit addresses and names at its top, and let mlq-tune check say whether it holds. With "
      "--from-live the values that an endpoint has now become its start, and the middle of the ranges.";
  command.shared = {Shared::output};
  std::vector<cli::Choice> presets;
  for (const tune::EndpointPreset& preset : tune::endpoint_presets())
    presets.emplace_back(std::string(preset.name), std::string(preset.text));
  command.add(
      "Init",
      {cli::text("preset", "NAME", "The kind of server.", a.preset).one_of(std::move(presets)),
       cli::text("from-live", "WHAT",
                 "Read the present values from this endpoint: a file, mlq:URL[#MODEL] or preset:NAME.",
                 a.target.endpoint)
           .file()});
  command.examples = {
      {"mlq-tune init --preset triton >triton.json", "Triton in explicit mode"},
      {"mlq-tune init --preset exec -o server.json", "any server that is started from a command line"},
      {"mlq-tune init --preset mlq --from-live mlq:http://127.0.0.1:8002 >mlq.json",
       "ranges around what mlq-model has set now"},
  };
  command.run = [arguments](Context& context) { return init(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
