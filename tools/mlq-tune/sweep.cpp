// mlq-tune sweep: measure a grid, whole or in part, to a surface file.
#include <fmt/format.h>

#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/tune/drive/sweep.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct SweepArguments {
  TargetArguments target;
  LoadArguments load;
  WindowArguments window;
  ObjectiveArguments objective;
  StateArguments state;
  tune::SweepOptions options;
};

ExitKind sweep(SweepArguments& a, Context& context) {
  const SteadyClock clock;
  a.options.seed = context.shared().seed;
  a.options.turn = turn_options(a.window);
  tune::Objective objective = make_objective(a.objective);
  Target target = make_target(a.target, context, clock);
  const auto journal = open_journal(a.state, "sweep", *target.endpoint.space, context);
  records::Run run = tune_run(context, target.endpoint, a.objective, target.endpoint.actuator->fingerprint());
  add_source(target, a.load, objective, context, clock, run);
  records::Writer writer = cli::open_writer(context);
  context.keep_output();
  tune::Emitter emitter(writer, journal.get());
  emitter.run(run);
  tune::SweepOutcome outcome;
  records::End end;
  try {
    outcome = tune::run_sweep(
        a.options, objective, target.endpoint, journal ? journal->before() : tune::JournalContents{}, emitter,
        clock, context.stop(), [&context](const std::string& message) { context.note(message); },
        [&context](uint64_t done, uint64_t all) {
          context.progress([&] { return fmt::format("point {} of {}", done, all); });
        });
  } catch (...) {
    target.endpoint.actuator->finish();
    end.interrupted = true;
    emitter.end_broken(end);
    throw;
  }
  target.endpoint.actuator->finish();
  end.trials = outcome.rows;
  end.failed = outcome.failed;
  if (outcome.interrupted) end.interrupted = true;
  emitter.end(end);
  if (outcome.skipped > 0)
    context.note(fmt::format("{} were in the journal already, and are not in this output",
                             format_count(outcome.skipped, "point")));
  return ExitKind::done;
}

}  // namespace

cli::Command sweep_command() {
  const auto arguments = std::make_shared<SweepArguments>();
  SweepArguments& a = *arguments;
  cli::Command command;
  command.name = "sweep";
  command.summary = "Measure the grid, whole or in part, to a surface file.";
  command.description =
      "Points come in random order, each beside a window of the start configuration, whose ratio is kept: "
      "what the "
      "machine did meanwhile can be taken off. The surface can be replayed: mlq-tune replay, mlq-tune "
      "compare. With "
      "--state a sweep that was interrupted goes on with the points that are missing. At the end the start "
      "configuration is set again.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  add_target(command, a.target);
  add_load(command, a.load);
  add_objective(command, a.objective);
  command.add("Sweep", {cli::text("name", "NAME", "Name of the surface in its rows.", a.options.surface)
                            .shown_default("sweep"),
                        cli::value_option("points", "N", "At most so many points, drawn.", a.options.points,
                                          cli::above_zero(parse_count))
                            .shown_default("all"),
                        cli::value_option("repeats", "N", "Windows of each point.", a.options.repeats,
                                          cli::above_zero(parse_count))
                            .shown_default("1"),
                        cli::flag("no-baseline", "No windows of the start configuration between.",
                                  a.options.baseline, false)});
  add_window(command, a.window);
  add_state(command, a.state);
  command.examples = {
      {"mlq-tune sweep --space server.json --trace day.jsonl --window 10s --state sweep.state -o "
       "surface.jsonl",
       "every point, ten seconds each"},
      {"mlq-tune sweep --space server.json --trace day.jsonl --points 50 --repeats 2 -o surface.jsonl",
       "fifty points, twice"},
      {"mlq-tune compare --surface surface.jsonl --tuner rrl-a,random --seeds 30",
       "which tuner would have found it?"},
  };
  command.run = [arguments](Context& context) { return sweep(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
