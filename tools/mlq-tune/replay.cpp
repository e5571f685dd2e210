// mlq-tune replay: one tuner on a surface instead of a server.
#include <fmt/format.h>

#include <memory>

#include "lib/base/clock.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/compare/trial_record.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/surfaces.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct ReplayArguments {
  SurfaceArguments surfaces;
  VirtualArguments run;
  tune::TunerOptions tuner;
};

void print(Context& context, const tune::Surface& surface, const tune::Truth& truth,
           const tune::VirtualRun& run, const tune::Cell& cell) {
  cli::Table table({{"level", cli::Align::left}, {"recommended", cli::Align::left}, {"over best"}});
  for (tune::LevelId level = 0; level < surface.levels().size(); ++level) {
    if (!run.recommended[level]) continue;
    const tune::PointId point = *run.recommended[level];
    table.add({surface.levels()[level].name, tune::config_json(surface.space().config(point)),
               cli::rounded(truth.cost(level, point) / truth.best(level))});
  }
  context.print(table.text());
  context.print(cell.reached ? fmt::format("within 5 % of the best at trial {}\n", *cell.reached)
                             : fmt::format("never within 5 % of the best\n"));
}

ExitKind replay(ReplayArguments& a, Context& context) {
  const SteadyClock clock;
  records::Run record = cli::run_record(context);
  const auto surfaces = open_surfaces(a.surfaces, context, record);
  if (surfaces.size() != 1)
    throw usage_error("replay runs on one surface, and there are {}; compare takes several", surfaces.size());
  const tune::Surface& surface = *surfaces.front();
  const tune::VirtualOptions options = virtual_options(a.run, context, clock);
  tune::Contestant contestant{a.tuner.name, a.tuner, {}};
  record.seed = options.seed;
  record.tuner = a.tuner.name;
  record.objective = options.objective.name();
  if (!options.objective.slo().empty()) record.slo = options.objective.slo();
  record.budget = options.trials;
  record.space_xxh3 = surface.space().xxh3();
  record.virtual_clock = true;

  surface.prepare(context.threads(), context.stop());
  records::Writer writer = cli::open_writer(context);
  writer.run(record);
  tune::VirtualHooks hooks;
  hooks.make = [&](const tune::Space&) {
    return tune::make_contestant(contestant, surface, options, context.stop(), 0);
  };
  hooks.trial = [&](const tune::VirtualTrial& trial) {
    writer.write(tune::trial_record(trial, surface, contestant.name));
  };
  records::End end;
  if (context.stop()) {
    end.interrupted = true;
    writer.end(end);
    return ExitKind::done;
  }
  const tune::Truth truth(surface, options.objective);
  const tune::VirtualRun run = tune::run_virtual(surface, options, hooks, context.stop());
  if (run.interrupted) {
    end.interrupted = true;
  } else {
    tune::Comparison comparison;
    comparison.tuners = {contestant.name};
    comparison.surfaces = {surface.name()};
    tune::Cell cell = tune::score_run(run, truth);
    cell.seed = options.seed;
    writer.write(tune::cell_record(comparison, cell));
    if (context.wants_summary()) print(context, surface, truth, run, cell);
  }
  end.trials = run.points.size();
  end.failed = run.failed;
  writer.end(end);
  return ExitKind::done;
}

}  // namespace

cli::Command replay_command() {
  const auto arguments = std::make_shared<ReplayArguments>();
  ReplayArguments& a = *arguments;
  cli::Command command;
  command.name = "replay";
  command.summary = "One tuner on a recorded or simulated surface, without a server and without waiting.";
  command.description =
      "Writes a trial record for each trial and a score record at the end. Each trial draws one of the "
      "recorded "
      "windows of the configuration that was asked for; its time, and that of setting the configuration, go "
      "by on "
      "a virtual clock. The same surface, tuner and seed give the same bytes.\n\n"
      "The score holds the tuner against the true costs: trials until it first tried a configuration within "
      "5 % "
      "of the best, what it recommends in the end (rec_ratio), and all that it tried (online_ratio).";
  command.shared = {Shared::output, Shared::threads,       Shared::seed,
                    Shared::strict, Shared::no_provenance, Shared::allow_truncated};
  add_surfaces(command, a.surfaces);
  add_tuner(command, a.tuner);
  add_virtual(command, a.run);
  command.examples = {
      {"mlq-tune replay --surface pool-batch@400 --tuner rrl-a --trials 60 --truth-requests 4000 --summary",
       "a search on a simulated server"},
      {"mlq-tune simulate --rows --preset pool-delay@400 --requests 4000 -o surface.jsonl && mlq-tune replay "
       "--surface surface.jsonl --noise 8% --tuner tpe",
       "the same on a surface file"},
      {"mlq-tune replay --surface rrl-cpu@70ms --tuner rrl-region --trials 200 --truth-requests 4000 | jq -r "
       "'select(.type==\"trial\") | [.i, .cost, .incumbent] | @tsv'",
       "how its choice changed"},
  };
  command.run = [arguments](Context& context) { return replay(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
