// mlq-tune live: one careful step on real traffic, for cron.
#include <fmt/format.h>

#include <ctime>
#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/tune/drive/live.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct LiveArguments {
  TargetArguments target;
  LoadArguments load;
  WindowArguments window;
  ObjectiveArguments objective;
  StateArguments state;
  bool once = false;
  tune::LiveOptions options;
};

int minute_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return local.tm_hour * 60 + local.tm_min;
}

ExitKind live(LiveArguments& a, Context& context) {
  if (!a.once)
    throw usage_error("--once is missing: one step a call, as from cron, is all that live does so far");
  if (a.options.confirm_pairs < 2) throw usage_error("--confirm: one pair proves nothing; 2 is the least");
  if (a.state.file.empty()) throw usage_error("--state is missing; it says what to go back to after a crash");
  const SteadyClock clock;
  tune::Objective objective = make_objective(a.objective);
  tune::LiveOptions& o = a.options;
  o.tuner.seed = context.shared().seed;
  o.tuner.latency = objective.is_latency();
  o.tuner.limit_ns = objective.limit_ns();
  o.turn = turn_options(a.window);
  o.freeze_file = a.state.file + ".freeze";
  Target target = make_target(a.target, context, clock);
  tune::make_tuner(o.tuner, *target.endpoint.space);  // what it asks for, before anybody is asked
  o.unverified = target.unverified;
  const auto journal = open_journal(a.state, "live", *target.endpoint.space, context);
  records::Run run = tune_run(context, target.endpoint, a.objective, target.endpoint.actuator->fingerprint());
  run.tuner = o.tuner.name;
  run.seed = o.tuner.seed;
  add_source(target, a.load, objective, context, clock, run);
  records::Writer writer = cli::open_writer(context);
  context.keep_output();
  tune::Emitter emitter(writer, journal.get());
  emitter.run(run);
  o.now_unix_ns = unix_now_ns();
  records::End end;
  tune::LiveOutcome outcome;
  try {
    outcome = tune::run_live_once(o, objective, target.endpoint, journal->before(), journal->was_cut(),
                                  emitter, clock, minute_of_day(), context.stop(),
                                  [&context](const std::string& message) { context.note(message); });
  } catch (...) {
    target.endpoint.actuator->finish();
    end.interrupted = true;
    emitter.end_broken(end);
    throw;
  }
  target.endpoint.actuator->finish();
  end.trials = outcome.trials;
  end.reverts = outcome.reverts;
  end.note = outcome.reason;
  if (outcome.interrupted) end.interrupted = true;
  emitter.end(end);
  using tune::LiveResult;
  if (outcome.interrupted) return ExitKind::done;
  switch (outcome.result) {
    case LiveResult::reverted:
      context.warn(fmt::format("the guard put the last good configuration back: {}", outcome.reason));
      return ExitKind::answer_no;
    case LiveResult::foreign:
      context.warn(outcome.reason);
      return ExitKind::answer_no;
    case LiveResult::idle:
    case LiveResult::kept:
    case LiveResult::promoted:
      context.note(outcome.result == LiveResult::promoted ? fmt::format("promoted: {}", outcome.reason)
                                                          : outcome.reason);
      return ExitKind::done;
  }
  return ExitKind::bug;
}

}  // namespace

cli::Command live_command() {
  const auto arguments = std::make_shared<LiveArguments>();
  LiveArguments& a = *arguments;
  a.options.tuner.safe = true;
  cli::Command command;
  command.name = "live";
  command.summary = "One careful step on real traffic, for cron.";
  command.description =
      "Looks at the traffic as it is, tries at most one configuration near the present one, measures it in "
      "turn with "
      "what was set, and keeps it only if it is surely better and gains enough; else what was set is back "
      "before "
      "the program ends. Between two runs the endpoint always has a configuration that was confirmed. What "
      "may be "
      "done, how often and when, stands in the endpoint file under safety; while the file STATE.freeze is "
      "there, "
      "nothing is changed.\n\n"
      "Nothing is sent but what changes the endpoint: windows come from the file's measure section, unless "
      "--trace "
      "gives a load.\n\n"
      "Exit status 1: the guard put the last good configuration back, or somebody else had changed the "
      "endpoint.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  add_target(command, a.target);
  add_objective(command, a.objective);
  command.add("Step", {cli::flag("once", "One step, and end.", a.once),
                       cli::value_option("confirm", "N", "Pairs of windows before a promotion; at least 2.",
                                         a.options.confirm_pairs, cli::above_zero(parse_count))
                           .shown_default("3")});
  add_load(command, a.load);
  add_window(command, a.window);
  add_tuner(command, a.options.tuner);
  add_state(command, a.state);
  command.examples = {
      {"mlq-tune live --once --space server.json --slo 'p95<=80ms' --window 60s --state "
       "/var/lib/mlq/server.state -o "
       "/dev/null",
       "a line for cron"},
      {"touch /var/lib/mlq/server.state.freeze", "no changes from now on"},
      {"mlq-tune status /var/lib/mlq/server.state --summary", "what was done so far"},
  };
  command.run = [arguments](Context& context) { return live(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
