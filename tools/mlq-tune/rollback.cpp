// mlq-tune rollback: go back to a configuration that the journal vouches for.
#include <fmt/format.h>

#include <memory>

#include "lib/cli/provenance.h"
#include "lib/tune/drive/settled.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct RollbackArguments {
  TargetArguments target;
  StateArguments state;
  std::string to = "good";
  bool dry_run = false;
};

tune::Config wanted(const RollbackArguments& a, const tune::JournalContents& journal) {
  std::optional<tune::Config> found;
  if (a.to == "good") {
    found = tune::last_good(journal);
  } else if (a.to == "start") {
    found = tune::first_start(journal);
  } else {
    for (const tune::JournalRun& run : journal.runs)
      for (const records::Trial& trial : run.trials)
        if (trial.config_id == a.to) found = tune::parse_config(trial.config.text, a.state.file);
  }
  if (!found) {
    throw input_error("{}: {}", a.state.file,
                      a.to == "good" || a.to == "start"
                          ? "no run has kept a configuration to go back to"
                          : fmt::format("no trial has the config_id \"{}\"", a.to));
  }
  return *found;
}

ExitKind rollback(const RollbackArguments& a, Context& context) {
  if (a.state.file.empty()) throw usage_error("--state is missing; it says what to go back to");
  const SteadyClock clock;
  Target target = make_target(a.target, context, clock);
  const auto journal = open_journal(a.state, "rollback", *target.endpoint.space, context);
  const tune::Config config = wanted(a, journal->before());
  records::Decision decision;
  decision.i = journal->before().next_i;
  decision.config = records::RawJson{tune::config_json(config)};
  decision.config_id = tune::config_id(config);
  decision.reason = "rollback --to " + a.to;
  records::Writer writer = cli::open_writer(context);
  tune::Emitter emitter(writer, a.dry_run ? nullptr : journal.get());
  emitter.run(tune_run(context, target.endpoint, {}, target.endpoint.actuator->fingerprint()));
  if (a.dry_run) {
    decision.dry_run = true;
    std::string requests;
    for (const std::string& line : target.endpoint.actuator->describe(config))
      requests += (requests.empty() ? "" : "\n") + line;
    decision.request = requests;
  }
  emitter.write(decision);
  bool done = true;
  if (!a.dry_run) {
    const tune::Applied applied = target.endpoint.actuator->apply(config, context.stop(), true);
    records::TuneEvent event;
    event.i = decision.i;
    event.config_id = decision.config_id;
    event.config = decision.config;
    done = applied.result == tune::ApplyResult::applied;
    event.event = done                                               ? "reverted"
                  : applied.result == tune::ApplyResult::not_applied ? "not_applied"
                                                                     : "actuator_failed";
    event.reason = done ? decision.reason : applied.note;
    emitter.write(event);
    target.endpoint.actuator->finish();
    if (applied.result == tune::ApplyResult::broken || applied.result == tune::ApplyResult::foreign) {
      emitter.end({});
      throw environment_error("{}: {}", target.endpoint.name, applied.note);
    }
    if (!done) context.warn(applied.note);
  }
  emitter.end({});
  if (done && context.wants_summary()) context.print(fmt::format("{} is set\n", tune::config_json(config)));
  return done ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command rollback_command() {
  const auto arguments = std::make_shared<RollbackArguments>();
  RollbackArguments& a = *arguments;
  cli::Command command;
  command.name = "rollback";
  command.summary = "Go back to a configuration that the journal vouches for.";
  command.description =
      "Sets the last configuration that was confirmed, or that with which all began (--to start), or that of "
      "a trial "
      "(--to CONFIG_ID), and reads it back.\n\n"
      "Exit status 1: what was read back is another; 4: the endpoint could not be set.";
  command.shared = {Shared::output, Shared::no_provenance};
  add_target(command, a.target);
  command.add(
      "Rollback",
      {cli::text("to", "WHAT",
                 "good: the last confirmed one; start: that with which all began; or a config_id.", a.to)
           .shown_default("good")
           .suggest({"good", "start"}),
       cli::flag("dry-run", "Print what would be sent, and send nothing.", a.dry_run)});
  add_state(command, a.state);
  command.examples = {
      {"mlq-tune rollback --space server.json --state server.state",
       "the last configuration that was confirmed"},
      {"mlq-tune rollback --space server.json --state server.state --to start",
       "as it was before all tuning"},
      {"mlq-tune rollback --space server.json --state server.state --to 1f3a90c2 --dry-run",
       "what would be sent"},
  };
  command.run = [arguments](Context& context) { return rollback(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
