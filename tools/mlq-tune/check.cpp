// mlq-tune check: does the file hold, and does the endpoint do what it says?
#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "lib/base/fmath.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/records/tune_schema.h"
#include "lib/stats/student.h"
#include "lib/tune/actuator/check.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

constexpr size_t kNoiseWindows = 3;
constexpr int kMostWindows = 10;  // some say nothing where others keep the machine busy

struct CheckArguments {
  TargetArguments target;
  LoadArguments load;
  WindowArguments window;
  ObjectiveArguments objective;
  bool offline = false;
};

records::CheckStep file_step(const tune::Space& space, const std::string& where) {
  records::CheckStep step;
  step.step = "file";
  step.ok = true;
  step.note =
      fmt::format("{}: {}, {}", where, format_count(space.dims(), "knob"),
                  space.listed() ? format_count(space.points().size(), "valid point")
                                 : format_count(space.grid_size(), "point") + ", not all of them valid");
  return step;
}

// Windows of what is set: how much they differ is what a search must see through.
records::CheckStep noise_step(const CheckArguments& a, const tune::Objective& objective,
                              tune::Endpoint& endpoint, const Clock& clock, Context& context) {
  records::CheckStep step;
  step.step = "noise";
  const int64_t before = clock.now_ns();
  std::vector<double> values;
  std::string note;
  for (int k = 0; k < kMostWindows && values.size() < kNoiseWindows && !context.stop(); ++k) {
    tune::WindowPlan plan = turn_options(a.window).window;
    plan.settle_ns = k == 0 ? a.window.settle_ns : 0;
    endpoint.source->quiesce(a.load.timeout_ns);
    const tune::Window window = endpoint.source->measure(plan, {}, context.stop());
    const tune::Objective::Value value = objective.value(window, window.stat_ns);
    if (window.valid && value.cost) {
      values.push_back(value.y);
    } else {
      note = window.note.value_or(value.note);
    }
  }
  step.took_ns = clock.now_ns() - before;
  step.ok = values.size() >= 2;
  if (step.ok) {
    const stats::MeanInterval i = stats::mean_interval(values);
    step.note = fmt::format("{} windows differ by {:.1f}% (standard deviation), about a cost of {:.4g}",
                            values.size(), 100 * fmath::expm1(i.sd), fmath::exp(i.mean));
  } else {
    step.note = note.empty() ? "too few windows say anything" : note;
  }
  return step;
}

ExitKind check(CheckArguments& a, Context& context) {
  const SteadyClock clock;
  records::Writer writer = cli::open_writer(context);
  std::vector<records::CheckStep> steps;
  bool ok = true;
  std::optional<tune::ApplyResult> failure;
  const auto add = [&](const records::CheckStep& step) {
    ok = ok && step.ok;
    writer.write(step);
    writer.flush();
    steps.push_back(step);
  };
  const auto finish = [&](Context& c) {
    records::End end;
    if (c.stop()) end.interrupted = true;
    writer.end(end);
    if (!c.wants_summary()) return;
    cli::Table table(
        {{"step", cli::Align::left}, {"", cli::Align::left}, {"took"}, {"note", cli::Align::left}});
    for (const records::CheckStep& step : steps)
      table.add({step.step, step.ok ? "ok" : "FAILED",
                 step.took_ns ? format_duration(*step.took_ns / 1000 * 1000) : "", step.note.value_or("")});
    c.print(table.text());
  };
  if (a.offline) {
    const auto space = make_space(a.target, context);
    check_files(a.target, context, clock);
    writer.run(cli::run_record(context));
    add(file_step(*space, a.target.space.empty() ? a.target.endpoint : a.target.space));
    finish(context);
    return ExitKind::done;
  }
  tune::Objective objective = make_objective(a.objective);
  Target target = make_target(a.target, context, clock);
  tune::Endpoint& endpoint = target.endpoint;
  records::Run run = tune_run(context, endpoint, a.objective, endpoint.actuator->fingerprint());
  const bool measures = !a.load.trace.empty() || !target.measure.empty();
  if (measures) add_source(target, a.load, objective, context, clock, run);
  writer.run(run);
  add(file_step(*endpoint.space, target.file));
  const tune::ActuatorCheck done =
      tune::check_actuator(*endpoint.actuator, *endpoint.space, endpoint.start, clock, context.stop());
  for (const records::CheckStep& step : done.steps) add(step);
  if (!endpoint.actuator->can_verify())
    context.warn("nothing can be read back: a setting that the server ignores will not be noticed");
  if (ok && measures && !context.stop()) add(noise_step(a, objective, endpoint, clock, context));
  endpoint.actuator->finish();
  finish(context);
  if (done.failure == tune::ApplyResult::broken)
    throw environment_error("{}: a configuration could not be set; see the steps", endpoint.name);
  return ok ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command check_command() {
  const auto arguments = std::make_shared<CheckArguments>();
  CheckArguments& a = *arguments;
  cli::Command command;
  command.name = "check";
  command.summary = "Does the file hold, and does the endpoint do what it says?";
  command.description =
      "Reads the file; then reads what is set, sets it again, sets one neighbour, reads each back, and goes "
      "back. "
      "Says how long a change takes. With a load, or a measure section in the file, also how much windows of "
      "one "
      "configuration differ. A check_step record a step.\n\n"
      "Exit status 1: a step answered, but the value that was read back is another; 3: the file is wrong; 4: "
      "the "
      "endpoint could not be set.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  add_target(command, a.target);
  command.add("Check", {cli::flag("offline", "Read the file, and touch nothing.", a.offline)});
  add_load(command, a.load);
  add_objective(command, a.objective);
  add_window(command, a.window);
  command.examples = {
      {"mlq-tune check --space server.json --offline --summary", "is the file right?"},
      {"mlq-tune check --endpoint mlq:http://127.0.0.1:8002 --summary", "can mlq-serve be set?"},
      {"mlq-tune check --space server.json --trace day.jsonl --window 5s --summary", "and how noisy is it?"},
  };
  command.run = [arguments](Context& context) { return check(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
