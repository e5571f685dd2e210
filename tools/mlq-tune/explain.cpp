// mlq-tune explain: why a configuration is the choice, and when another would be.
#include <fmt/format.h>

#include <memory>

#include "lib/base/fmath.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/drive/ask_tell.h"
#include "lib/tune/drive/explain.h"
#include "lib/tune/drive/settled.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct ExplainArguments {
  std::string file;
  TargetArguments target;
  ObjectiveArguments objective;
  tune::TunerOptions tuner;
  std::string level;
};

void print(Context& context, const tune::History& history, tune::Tuner& tuner, tune::LevelId level,
           const tune::Chosen& chosen) {
  const auto known = chosen(level);
  const auto best = known ? known : tuner.recommend(history, level);
  if (!best) return;
  const tune::Space& space = history.space();
  std::string text =
      fmt::format("level {}: {}\n", history.levels()[level].name, tune::config_json(space.config(*best)));
  const size_t changes = space.changes(*best, history.start());
  text += fmt::format("{} from the start configuration\n", format_count(changes, "change"));
  context.print(text);
  cli::Table table({{"nearest rival", cli::Align::left}, {"costs more"}});
  for (const tune::Neighbour& n : tune::nearest_rivals(history, tuner, level, chosen)) {
    std::string changed;
    const tune::Config config = space.config(*best);
    for (size_t k = 0; k < config.size(); ++k) {
      if (tune::same_value(config[k].second, n.config[k].second)) continue;
      changed += fmt::format("{}{}={}", changed.empty() ? "" : " ", n.config[k].first,
                             serve::knob_text(n.config[k].second));
    }
    table.add({changed, fmt::format("{:+.1f}%", 100 * n.loss)});
  }
  context.print(table.text());
}

ExitKind explain(ExplainArguments& a, Context& context) {
  const auto space = make_space(a.target, context);
  const tune::Objective objective = make_objective(a.objective);
  const tune::JournalContents journal = tune::read_journal(a.file);
  for (const tune::JournalRun& run : journal.runs) {
    if (run.run.space_xxh3.value_or(space->xxh3()) != space->xxh3())
      throw input_error("{}: line {}: the journal is of another space of knobs", a.file, run.line);
  }
  a.tuner.latency = objective.is_latency();
  const auto first = tune::first_start(journal);
  tune::AskTell known(a.tuner, *space, objective,
                      first ? space->nearest(*first) : start_point(a.target, *space, context), journal);
  const tune::History& history = known.history();
  if (history.levels().empty()) throw input_error("{}: there is no trial in it", a.file);
  records::Writer writer = cli::open_writer(context);
  writer.run(cli::run_record(context));
  const tune::Chosen chosen = tune::chosen_in(journal, history);
  bool found = false;
  for (tune::LevelId level = 0; level < history.levels().size(); ++level) {
    if (!a.level.empty() && history.levels()[level].name != a.level) continue;
    found = true;
    for (const records::Effect& effect : tune::effects(history, known.tuner(), level, chosen))
      writer.write(effect);
    if (context.wants_summary()) print(context, history, known.tuner(), level, chosen);
  }
  if (!found) {
    std::string names;
    for (const tune::Level& level : history.levels()) names += (names.empty() ? "" : ", ") + level.name;
    throw input_error("{}: there is no level \"{}\" in it; there are {}", a.file, a.level, names);
  }
  for (const records::Flip& flip : tune::flips(history, known.tuner(), chosen)) writer.write(flip);
  writer.end({});
  return ExitKind::done;
}

}  // namespace

cli::Command explain_command() {
  const auto arguments = std::make_shared<ExplainArguments>();
  ExplainArguments& a = *arguments;
  cli::Command command;
  command.name = "explain";
  command.summary = "Why a configuration is the choice, and at which rate another is.";
  command.description =
      "From a journal: what is expected of each value of each knob around the choice of a level, with its "
      "interval "
      "(effect records; y is the logarithm of the cost), the neighbours that would cost least more, and the "
      "rates "
      "between two levels at which a knob changes (flip records).";
  command.shared = {Shared::output, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("STATE", cli::Positional::Arity::required, "The journal.", a.file)};
  add_target(command, a.target);
  add_objective(command, a.objective);
  command.add("Explain", {cli::text("level", "NAME", "This level alone.", a.level).shown_default("all")});
  add_tuner(command, a.tuner);
  command.examples = {
      {"mlq-tune explain tune.state --space space.json --summary >/dev/null", "for people"},
      {"mlq-tune explain tune.state --space space.json | jq -c 'select(.type==\"effect\") | "
       "[.knob,.value,.y]'",
       "what each value would cost"},
      {"mlq-tune explain tune.state --space space.json | jq -c 'select(.type==\"flip\")'",
       "when the choice changes"},
  };
  command.run = [arguments](Context& context) { return explain(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
