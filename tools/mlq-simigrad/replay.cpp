// mlq-simigrad replay: what other policies would have cost.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/replay/pareto.h"
#include "lib/simigrad/replay/recording.h"
#include "lib/simigrad/replay/simulate.h"
#include "tools/mlq-simigrad/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;
using simigrad::Controller;

struct ReplayArguments {
  std::vector<std::string> in;
  DecidingArguments deciding;
  std::vector<Controller> controllers = {Controller::simigrad, Controller::ratio};
  std::vector<double> targets = {0.1, 0.2, 0.5, 0.8};
  std::optional<simigrad::Budget> budget;
  std::optional<simigrad::StepTime> step_time;
  simigrad::SimulationOptions simulation;
};

template <class T>
void add_once(std::vector<T>& list, const T& value, const std::string& text) {
  if (std::ranges::count(list, value) > 0) throw usage_error("{} is named twice", text);
  list.push_back(value);
}

void refuse_repeated(const std::vector<std::string>& files) {
  std::error_code none;
  for (auto file = files.begin(); file != files.end(); ++file)
    if (std::any_of(files.begin(), file, [&](const std::string& before) {
          return before == *file || std::filesystem::equivalent(before, *file, none);
        }))
      throw usage_error("FILE: {} is named twice; each is a run of its own", *file);
}

// One set of options a point: each controller with each target, where it has one.
std::vector<simigrad::ControlOptions> policies(const ReplayArguments& a) {
  std::vector<simigrad::ControlOptions> all;
  for (const Controller controller : a.controllers) {
    simigrad::ControlOptions options = a.deciding.options;
    options.controller = controller;
    if (!has_target(controller)) {
      validate(options);
      all.push_back(options);
      continue;
    }
    for (const double gamma : a.targets) {
      options.target = simigrad::Target::of_gamma(gamma);
      validate(options);
      all.push_back(options);
    }
  }
  return all;
}

records::Pareto point_of(const ReplayArguments& a, const simigrad::ControlOptions& policy,
                         const simigrad::PolicyRun& run, const std::string& file) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  records::Pareto p;
  p.controller = name_of(policy.controller);
  p.gamma = has_target(policy.controller) ? policy.target->gamma() : kNone;
  p.steps = run.steps;
  p.samples = run.samples;
  p.avg_batch_samples = static_cast<double>(run.samples) / static_cast<double>(run.steps);
  p.wall_ns = kNone;
  if (a.step_time) {
    p.wall_ns = 0;
    for (const simigrad::Stretch& s : run.stretches)
      p.wall_ns += a.step_time->ns(s.batch) * static_cast<double>(s.samples) / static_cast<double>(s.batch);
  }
  p.in_budget = run.whole && (!a.budget || a.budget->holds(p));
  if (!run.whole) p.note = fmt::format("given up after {} steps, before the recorded progress", run.steps);
  if (run.whole && a.in.size() > 1) p.note = file;
  return p;
}

void print_summary(Context& context, const std::vector<records::Pareto>& points) {
  if (!context.wants_summary()) return;
  cli::Table table({{"controller", cli::Align::left},
                    {"gamma"},
                    {"steps"},
                    {"samples"},
                    {"avg batch"},
                    {"", cli::Align::left}});
  for (const records::Pareto& p : points)
    table.add({p.controller, cli::rounded(p.gamma), cli::grouped(p.steps), cli::grouped(p.samples),
               cli::rounded(p.avg_batch_samples),
               p.dominated   ? "dominated"
               : p.in_budget ? ""
                             : "over budget"});
  context.print(table.text() + "predicted from the recording; nothing was trained\n");
}

ExitKind replay(ReplayArguments& a, Context& context) {
  refuse_repeated(a.in);
  a.deciding.finish_common();
  if (a.budget && a.budget->needs_time() && !a.step_time)
    throw usage_error("--budget: wall needs --step-time");
  const auto all = policies(a);
  a.simulation.seed = context.shared().seed;
  std::string inputs, truncation;
  std::vector<std::vector<records::Pareto>> files;
  for (const std::string& file : a.in) {
    records::Reader reader(file, reading(context));
    simigrad::RecordSource source(reader);
    const auto run = simigrad::read_run(source);
    if (reader.interrupted()) return end_interrupted(context);
    const auto recording = simigrad::make_recording(run, a.deciding.options.estimating, reader.name());
    auto& points = files.emplace_back();
    for (const auto& policy : all)
      points.push_back(point_of(a, policy, simigrad::simulate(recording, policy, a.simulation), file));
    simigrad::mark_dominated(points);
    if (!reader.runs_json().empty()) inputs += (inputs.empty() ? "" : ",") + reader.runs_json();
    if (truncation.empty()) truncation = reader.truncation();
  }
  records::Run run = run_record(context, nullptr);
  run.seed = context.shared().seed;
  records::Writer writer = cli::open_writer(context);
  if (!inputs.empty()) run.inputs = records::RawJson{"[" + inputs + "]"};
  writer.run(run);
  bool met = false;
  for (const auto& points : files) {
    for (const records::Pareto& p : points) {
      writer.write(p);
      met |= p.in_budget;
    }
  }
  writer.end({});
  for (const auto& points : files) print_summary(context, points);
  if (!truncation.empty() && !context.shared().allow_truncated)
    throw input_error("{} (--allow-truncated accepts it)", truncation);
  return met ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command replay_command() {
  const auto arguments = std::make_shared<ReplayArguments>();
  ReplayArguments& a = *arguments;
  cli::Command command;
  command.name = "replay";
  command.summary = "What a recorded run would have cost under other policies.";
  command.description =
      "Tries each controller with each target on recorded gram records, to the progress that the recorded "
      "run made, and "
      "writes a pareto record for each: steps, samples and, with --step-time, time. Progress is the sum over "
      "the steps "
      "of 1 / (1 + B_simple / batch).\n\n"
      "The figures are predictions under this model; nothing is trained. Exit status 1 if no policy is "
      "within --budget.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  command.positionals = {cli::file_positional("FILE", cli::Positional::Arity::one_or_more,
                                              "gram records, or a journal of follow; a run each.", a.in)};
  cli::Option controllers;
  controllers.name = "controllers";
  controllers.value = "NAME,..";
  controllers.help = "Policies to try: simigrad, ratio, sqrt-noise, normtest, static.";
  controllers.default_text = "simigrad,ratio";
  controllers.set = [&a](std::string_view text) {
    a.controllers.clear();
    for (const std::string& name : parse_list(text))
      add_once(a.controllers, simigrad::parse_controller(name), name);
  };
  cli::Option targets;
  targets.name = "targets";
  targets.value = "GAMMA,..";
  targets.help = "Targets to try with each that steers to one.";
  targets.default_text = "0.1,0.2,0.5,0.8";
  targets.set = [&a](std::string_view text) {
    a.targets.clear();
    for (const std::string& gamma : parse_list(text))
      add_once(a.targets, simigrad::Target::of_gamma(parse_double(gamma)).gamma(), gamma);
  };
  command.add(
      "Replay",
      {std::move(controllers), std::move(targets),
       cli::value_option("budget", "LIMITS",
                         "What is allowed: steps<=N, samples<=N, wall<=TIME, with commas.", a.budget,
                         simigrad::Budget::parse),
       cli::value_option("step-time", "TIME",
                         "Time of a step: like 2ms+3us*samples, or a file with lines of batch and time.",
                         a.step_time, simigrad::StepTime::parse)
           .file(),
       cli::flag("noise", "Add the sampling noise that Gaussian gradients would have.", a.simulation.noise)});
  command.add("Decisions", {cli::value_option("batch", "B", "static: the batch.", a.deciding.options.batch,
                                              cli::above_zero(parse_count))});
  add_deciding(command, a.deciding, false);
  command.examples = {
      {"mlq-simigrad replay run.gram.jsonl --controllers simigrad,ratio,sqrt-noise --targets 0.1,0.2,0.5 "
       "--step-cost 512",
       "steps against samples"},
      {"mlq-simigrad replay run.gram.jsonl --targets 0.1,0.2,0.3,0.5 --budget 'samples<=10M' --summary",
       "which target is within a budget of samples?"},
      {"mlq-simigrad replay run.gram.jsonl --step-time '2ms+3us*samples' --budget 'wall<=12h'",
       "and of time, where a step takes 2 ms and 3 us a sample"},
  };
  command.run = [arguments](Context& context) { return replay(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
