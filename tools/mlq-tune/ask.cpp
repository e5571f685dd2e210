// mlq-tune ask: one configuration out.
#include <fmt/format.h>

#include <memory>

#include "lib/base/io.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/drive/ask_tell.h"
#include "lib/tune/drive/emitter.h"
#include "lib/tune/drive/policy.h"
#include "lib/tune/drive/stdio_server.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct AskArguments {
  TargetArguments target;
  ObjectiveArguments objective;
  StateArguments state;
  tune::TunerOptions tuner;
  std::string level;
  uint64_t budget = 0;
  bool stdio = false;
};

// The pipe protocol, for compare --external and whoever speaks it; the space comes over the pipe.
ExitKind serve_pipe(AskArguments& a, Context& context) {
  if (!a.target.space.empty() || !a.target.endpoint.empty() || !a.state.file.empty())
    throw usage_error(
        "--stdio takes neither --space, --endpoint nor --state; the other side says what the space is");
  a.tuner.seed = context.shared().seed;
  Output output = Output::open("-");
  tune::serve_stdio(a.tuner, Input::open("-", &context.stop()), [&output](std::string_view answer) {
    output.write(std::string(answer) + '\n');
    output.flush();
  });
  output.close();
  return ExitKind::done;
}

ExitKind ask(AskArguments& a, Context& context) {
  if (a.stdio) return serve_pipe(a, context);
  if (a.state.file.empty()) throw usage_error("--state is missing; it is where asks and tells are kept");
  const auto space = make_space(a.target, context);
  const tune::Objective objective = make_objective(a.objective);
  a.tuner.seed = context.shared().seed;
  a.tuner.latency = objective.is_latency();
  a.tuner.limit_ns = objective.limit_ns();
  if (a.budget == 0) a.budget = std::clamp<uint64_t>(20 * space->free_dims(), 30, 120);
  const auto journal = open_journal(a.state, "ask", *space, context);
  const tune::PointId start = start_point(a.target, *space, context);
  tune::AskTell search(a.tuner, *space, objective, start, journal->before());
  records::Run run = cli::run_record(context);
  run.space_xxh3 = space->xxh3();
  run.tuner = a.tuner.name;
  run.seed = a.tuner.seed;
  records::Writer writer = cli::open_writer(context);
  if (const auto pending = search.pending()) {
    // Asked before and not told: a trial that was lost on its way is asked for again.
    writer.run(run);
    writer.write(*pending);
    writer.end({});
    context.note(
        fmt::format("trial {} was asked for before and is not told yet; here it is again", pending->i));
    return ExitKind::done;
  }
  tune::Emitter emitter(writer, journal.get());
  emitter.run(run);
  const auto next = search.ask(a.level, a.budget);
  if (next) emitter.write(*next);
  // The search is over: what it found, as search leaves it, though nothing was measured in turn.
  for (tune::LevelId level = 0; !next && level < search.history().levels().size(); ++level)
    if (const auto best = search.best(level))
      emitter.write(
          tune::make_policy(search.history(), level, *best, start, nullptr, objective.is_latency()));
  emitter.end({});
  if (!next)
    context.note(search.told() >= a.budget ? fmt::format("the budget is spent, {}; a larger --trials goes on",
                                                         format_count(search.told(), "trial"))
                                           : "the tuner has nothing left to try");
  return next ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command ask_command() {
  const auto arguments = std::make_shared<AskArguments>();
  AskArguments& a = *arguments;
  cli::Command command;
  command.name = "ask";
  command.summary = "One configuration out: a shell loop, make or a scheduler runs the trial.";
  command.description =
      "Writes an ask record with the configuration to try next; tell takes the result. Everything in between "
      "is in "
      "the journal, so that any process may ask and any other may tell. A configuration that was asked for "
      "and not "
      "told is asked for again.\n\n"
      "When the budget is spent, or the tuner has nothing left to try, a policy record for each level says "
      "what is "
      "best, and export --unconfirmed prints it.\n\n"
      "Exit status 1: the search is over.";
  command.shared = {Shared::output, Shared::seed, Shared::no_provenance};
  add_target(command, a.target);
  add_objective(command, a.objective);
  command.add("Budget",
              {cli::value_option("trials", "N", "Trials in all.", a.budget, cli::above_zero(parse_count))
                   .shown_default("20 a knob, from 30 to 120"),
               cli::text("level", "NAME", "The level of the load that the trial will run at.", a.level)
                   .shown_default("single")});
  command.add("Pipe",
              {cli::flag("stdio",
                         "Speak the protocol of compare --external on standard input and output instead: one "
                         "tuner, for other programs.",
                         a.stdio)});
  add_tuner(command, a.tuner);
  add_state(command, a.state);
  command.examples = {
      {"mlq-tune ask --space space.json --state tune.state | jq -c 'select(.type==\"ask\").config'",
       "the next configuration"},
      {"while mlq-tune ask --space space.json --state tune.state -o ask.jsonl; do ./trial ask.jsonl | "
       "mlq-tune tell "
       "--space space.json --state tune.state || break; done",
       "a whole search as a shell loop"},
      {"mlq-tune ask --space space.json --state tune.state --level night --trials 40",
       "of a level of its own"},
  };
  command.run = [arguments](Context& context) { return ask(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
