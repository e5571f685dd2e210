// mlq-tune measure: one configuration, or two in turn: a gate for continuous integration.
#include <fmt/format.h>

#include <memory>

#include "lib/base/fmath.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/tune/drive/measure.h"
#include "lib/tune/space/changed_point.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct MeasureArguments {
  TargetArguments target;
  LoadArguments load;
  WindowArguments window;
  ObjectiveArguments objective;
  std::string config;
  std::string duet;  // A; B is the positional
  std::string beside;
  uint64_t repeats = 1;
  tune::DuetOptions options;
};

// A configuration as it was typed: knobs that it does not name are as at the start.
tune::PointId point_of(const std::string& json, std::string_view option, const tune::Space& space,
                       tune::PointId start) {
  if (json == "start" || json.empty()) return start;
  return tune::changed_point(space, start, tune::parse_config(json, option), option);
}

std::string percent(double log_ratio) { return fmt::format("{:+.1f}%", 100 * fmath::expm1(log_ratio)); }

ExitKind measure(MeasureArguments& a, Context& context) {
  const bool duet = !a.duet.empty();
  if (duet && a.beside.empty()) throw usage_error("--duet A B: B is missing");
  if (!duet && !a.beside.empty())
    throw usage_error("\"{}\": only --duet A takes a second configuration", a.beside);
  const SteadyClock clock;
  tune::Objective objective = make_objective(a.objective);
  Target target = make_target(a.target, context, clock);
  const auto notice = [&context](const std::string& message) { context.note(message); };
  const tune::PointId start =
      tune::start_of(target.endpoint, target.endpoint.actuator->read(context.stop()), notice);
  const tune::Space& space = *target.endpoint.space;
  const tune::PointId first = point_of(duet ? a.duet : a.config, duet ? "--duet" : "--config", space, start);
  const tune::PointId second = point_of(a.beside, "B", space, start);
  records::Run run = tune_run(context, target.endpoint, a.objective, target.endpoint.actuator->fingerprint());
  add_source(target, a.load, objective, context, clock, run);
  records::Writer writer = cli::open_writer(context);
  context.keep_output();
  tune::Emitter emitter(writer, nullptr);
  emitter.run(run);
  records::End end;
  ExitKind answer = ExitKind::done;
  if (duet) {
    a.options.turn = turn_options(a.window);
    const tune::DuetOutcome outcome =
        tune::run_duet(a.options, first, second, start, objective, target.endpoint, 0, emitter, clock,
                       context.stop(), notice, [&context](uint64_t done, uint64_t most) {
                         context.progress([&] { return fmt::format("pair {} of at most {}", done, most); });
                       });
    if (outcome.interrupted) end.interrupted = true;
    if (!outcome.interrupted && outcome.duet.verdict == "worse") answer = ExitKind::answer_no;
    if (context.wants_summary()) {
      const records::Duet& d = outcome.duet;
      context.print(d.note ? fmt::format("B is {}: {}\n", d.verdict, *d.note)
                           : fmt::format("B is {}: cost {} ({} to {}) after {}\n", d.verdict,
                                         percent(d.log_ratio), percent(d.log_ratio_lo),
                                         percent(d.log_ratio_hi), format_count(d.pairs, "pair")));
    }
  } else {
    const tune::MeasureOutcome outcome =
        tune::run_measure(turn_options(a.window), first, start, a.repeats, objective, target.endpoint, 0,
                          emitter, clock, context.stop(), notice);
    if (outcome.interrupted) end.interrupted = true;
    if (!outcome.interrupted && !outcome.feasible) answer = ExitKind::answer_no;
    if (context.wants_summary()) {
      cli::Table table({{"requests"}, {"mean"}, {"p50"}, {"p95"}, {"p99"}, {"objective", cli::Align::left}});
      const auto ms = [](std::optional<int64_t> ns) {
        return ns ? fmt::format("{:.2f} ms", static_cast<double>(*ns) * 1e-6) : std::string("-");
      };
      for (const records::Measurement& m : outcome.windows)
        table.add({cli::grouped(m.requests), ms(m.latency_mean_ns), ms(m.latency_p50_ns),
                   ms(m.latency_p95_ns), ms(m.latency_p99_ns),
                   m.feasible.value_or(false) ? "kept" : "missed"});
      context.print(table.text());
    }
  }
  target.endpoint.actuator->finish();
  emitter.end(end);
  return answer;
}

}  // namespace

cli::Command measure_command() {
  const auto arguments = std::make_shared<MeasureArguments>();
  MeasureArguments& a = *arguments;
  cli::Command command;
  command.name = "measure";
  command.summary = "Measure a configuration, or two in turn: is B worse than A?";
  command.description =
      "Sets a configuration, measures windows of it, and puts back what was set. With --duet A B, windows of "
      "both "
      "alternate until the interval of their ratio answers: better, worse, same (within --margin) or "
      "undecided. A "
      "configuration is a JSON object, in which knobs may be missing that are as they are set, or the word "
      "start.\n\n"
      "Exit status 1: the objective was missed; of a duet, B is worse than A.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  command.positionals = {cli::text_positional("B", cli::Positional::Arity::optional,
                                              "With --duet A: the configuration that is held against A.",
                                              a.beside)};
  add_target(command, a.target);
  add_load(command, a.load);
  add_objective(command, a.objective);
  command.add("Measurement",
              {cli::text("config", "JSON", "The configuration.", a.config).shown_default("what is set"),
               cli::value_option("repeats", "N", "Windows of it.", a.repeats, cli::above_zero(parse_count))
                   .shown_default("1"),
               cli::text("duet", "A", "Measure A and B in turn.", a.duet),
               cli::value_option("margin", "SHARE", "Of a duet: what counts as the same.", a.options.margin,
                                 cli::above_zero(parse_double))
                   .shown_default("2%"),
               cli::value_option("pairs", "N", "Of a duet: at most so many.", a.options.most_pairs,
                                 cli::above_zero(parse_count))
                   .shown_default("24")});
  add_window(command, a.window);
  command.examples = {
      {"mlq-tune measure --space server.json --trace day.jsonl --slo 'p99<=50ms' --summary -o now.jsonl",
       "is the objective kept as things are?"},
      {"if mlq-tune measure --space server.json --trace day.jsonl --duet start '{\"max_rows\":64}' -o "
       "duet.jsonl; then "
       "echo 'not worse'; fi",
       "a gate"},
      {"mlq-tune measure --space server.json --trace day.jsonl --config '{\"max_rows\":8}' --repeats 3 -o "
       "eight.jsonl",
       "three windows of one setting"},
  };
  command.run = [arguments](Context& context) { return measure(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
