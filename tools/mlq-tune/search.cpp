// mlq-tune search: find the best configuration within a budget, prove it, leave it.
#include <fmt/format.h>

#include <memory>

#include "lib/base/fmath.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/tune/drive/search.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct SearchArguments {
  TargetArguments target;
  LoadArguments load;
  WindowArguments window;
  ObjectiveArguments objective;
  StateArguments state;
  std::vector<std::string> priors;
  tune::SearchOptions options;
};

void add_budget(cli::Command& command, SearchArguments& a) {
  tune::SearchOptions& o = a.options;
  cli::Option baseline;
  baseline.name = "baseline";
  baseline.value = "N|auto|off";
  baseline.help =
      "Measure the start configuration again every N trials, and take off by how much the machine has "
      "changed; "
      "auto: every 4 if windows of one configuration spread more than they say themselves.";
  baseline.default_text = "auto";
  baseline.choices = {"auto", "off"};
  baseline.closed = false;
  baseline.set = [&o](std::string_view text) {
    if (text == "auto") {
      o.baseline.reset();
    } else if (text == "off") {
      o.baseline = 0;
    } else {
      o.baseline = parse_count(text);
    }
  };
  using tune::Leave;
  command.add(
      "Budget",
      {cli::value_option("trials", "N", "Windows to measure.", o.budget, cli::above_zero(parse_count))
           .shown_default("20 a knob, from 30 to 120"),
       cli::value_option("time", "TIME", "Begin no trial after so long.", o.time_ns,
                         cli::above_zero(parse_duration))
           .shown_default("none"),
       std::move(baseline),
       cli::value_option(
           "confirm", "N",
           "Pairs of windows at the end in which the best is measured in turn with the start "
           "configuration, which stays if the best is not surely better (one-sided 95 %); 0: none.",
           o.confirm_pairs, parse_count)
           .shown_default("5"),
       cli::choice_option<Leave>(
           "leave", "WHICH",
           "What is set at the end; after an error or a signal it is the start configuration.", o.leave,
           {{"best", Leave::best}, {"start", Leave::start}, {"last", Leave::last}}),
       cli::flag("hot-only", "Move only knobs whose change interrupts nothing.", o.hot_only),
       cli::value_option("max-restarts", "N", "Changes that start the server anew.", o.max_restarts,
                         parse_count)
           .shown_default("none"),
       cli::text("prior", "FILE", "Learn from this journal first, with doubled variance.", a.priors).file(),
       cli::flag("dry-run", "Print the next decision with the requests that it would send, and send nothing.",
                 o.dry_run),
       cli::flag("timing", "Say in trials how long decisions took.", o.turn.timing)});
}

std::string milliseconds(std::optional<int64_t> ns) {
  return ns ? fmt::format("{:.2f} ms", static_cast<double>(*ns) * 1e-6) : "-";
}

template <class Get>
std::string median_of(const std::vector<records::Trial>& windows, Get get) {
  std::vector<int64_t> values;
  for (const records::Trial& trial : windows)
    if (const auto value = get(trial)) values.push_back(static_cast<int64_t>(*value));
  if (values.empty()) return "-";
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return milliseconds(values[values.size() / 2]);
}

std::string share_of(const std::vector<records::Trial>& windows) {
  double sum = 0;
  size_t n = 0;
  for (const records::Trial& trial : windows) {
    if (!trial.attain) continue;
    sum += *trial.attain;
    ++n;
  }
  return n == 0 ? "-" : fmt::format("{:.1f}%", 100 * sum / static_cast<double>(n));
}

void print(Context& context, const tune::SearchOutcome& outcome) {
  if (outcome.compared) {
    const auto& c = *outcome.compared;
    cli::Table table({{"level " + c.level, cli::Align::left}, {"start"}, {"found"}});
    for (size_t k = 0; k < c.start.size(); ++k) {
      const std::string a = serve::knob_text(c.start[k].second), b = serve::knob_text(c.best[k].second);
      if (a != b) table.add({c.start[k].first, a, b});
    }
    const auto row = [&](const std::string& name, auto get) {
      table.add({name, median_of(c.start_windows, get), median_of(c.best_windows, get)});
    };
    row("mean", [](const records::Trial& t) { return t.latency_mean_ns; });
    row("p50", [](const records::Trial& t) { return t.latency_p50_ns; });
    row("p95", [](const records::Trial& t) { return t.latency_p95_ns; });
    row("p99", [](const records::Trial& t) { return t.latency_p99_ns; });
    table.add({"good", share_of(c.start_windows), share_of(c.best_windows)});
    context.print(table.text());
  }
  cli::Table table({{"level", cli::Align::left},
                    {"changes", cli::Align::left},
                    {"statistic"},
                    {"gain"},
                    {"95%"},
                    {"confirmed"}});
  for (const records::Policy& p : outcome.policies) {
    const auto percent = [](double share) { return fmt::format("{:+.1f}%", 100 * share); };
    std::string changed;
    for (const auto& [name, value] : tune::parse_config(p.config.text, "policy")) {
      const auto& names = p.changes.value_or(std::vector<std::string>{});
      if (std::find(names.begin(), names.end(), name) == names.end()) continue;
      changed += fmt::format("{}{}={}", changed.empty() ? "" : " ", name, serve::knob_text(value));
    }
    if (changed.empty()) changed = "as at the start";
    table.add({p.level, changed, p.stat_ns ? milliseconds(p.stat_ns) : fmt::format("{:.4g}", fmath::exp(p.y)),
               p.gain_over_start ? percent(*p.gain_over_start) : "-",
               p.gain_lo ? fmt::format("{} to {}", percent(*p.gain_lo), percent(*p.gain_hi)) : "-",
               p.confirmed ? "yes" : "no"});
  }
  if (!outcome.policies.empty()) context.print(table.text());
  context.print(fmt::format("{}, {} failed, {} void; {} is set\n", format_count(outcome.trials, "trial"),
                            outcome.failed, outcome.voids, outcome.left));
}

void complete(SearchArguments& a, Context& context) {
  a.options.tuner.seed = context.shared().seed;
  const bool timing = a.options.turn.timing;
  a.options.turn = turn_options(a.window);
  a.options.turn.timing = timing;
  if (a.options.dry_run && !a.state.file.empty())
    throw usage_error("--dry-run and --state exclude each other: a dry run keeps no journal");
}

ExitKind search(SearchArguments& a, Context& context) {
  complete(a, context);
  const SteadyClock clock;
  tune::Objective objective = make_objective(a.objective);
  a.options.tuner.latency = objective.is_latency();
  a.options.tuner.limit_ns = objective.limit_ns();
  Target target = make_target(a.target, context, clock);
  tune::make_tuner(a.options.tuner, *target.endpoint.space);  // what it asks for, before anybody is asked
  const auto notice = [&context](const std::string& message) { context.note(message); };
  const auto journal = open_journal(a.state, "search", *target.endpoint.space, context);
  const std::string fingerprint = target.endpoint.actuator->fingerprint();
  records::Run run = tune_run(context, target.endpoint, a.objective, fingerprint);
  add_source(target, a.load, objective, context, clock, run, a.options.dry_run);
  const uint64_t free = target.endpoint.space->free_dims();
  if (a.options.budget == 0) a.options.budget = std::clamp<uint64_t>(20 * free, 30, 120);
  run.tuner = a.options.tuner.name;
  run.budget = a.options.budget;
  run.seed = context.shared().seed;
  tune::SearchMemory memory;
  if (journal) {
    memory = tune::recall(journal->before(), *target.endpoint.space, objective, run.host.value_or(""),
                          fingerprint);
  }
  for (const std::string& path : a.priors) {
    tune::add_prior(memory, tune::read_journal(path), *target.endpoint.space, objective);
  }
  records::Writer writer = cli::open_writer(context);
  context.keep_output();
  tune::Emitter emitter(writer, journal.get());
  emitter.run(run);
  const uint64_t first = journal ? journal->before().next_i : 0;
  tune::SearchOutcome outcome;
  records::End end;
  try {
    outcome = tune::run_search(a.options, objective, target.endpoint, memory, first, emitter, clock,
                               context.stop(), notice, [&context](uint64_t done, uint64_t all) {
                                 context.progress([&] { return fmt::format("trial {} of {}", done, all); });
                               });
  } catch (...) {
    target.endpoint.actuator->finish();
    end.interrupted = true;
    emitter.end_broken(end);
    throw;
  }
  target.endpoint.actuator->finish();
  end.trials = outcome.trials;
  end.failed = outcome.failed;
  end.void_trials = outcome.voids;
  end.reverts = outcome.reverts;
  if (!outcome.left.empty()) end.best = outcome.left;
  if (outcome.interrupted) end.interrupted = true;
  emitter.end(end);
  if (context.wants_summary() && !a.options.dry_run) print(context, outcome);
  if (outcome.interrupted) return ExitKind::done;
  if (!outcome.feasible)
    context.warn(fmt::format("no configuration kept the objective; the start configuration is set{}",
                             outcome.trouble.empty() ? "" : "; " + outcome.trouble));
  return outcome.feasible ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command search_command(const std::string& name) {
  const auto arguments = std::make_shared<SearchArguments>();
  SearchArguments& a = *arguments;
  cli::Command command;
  command.name = name;
  command.summary = name == "search" ? "Find the best configuration within a budget, under our own load."
                                     : "The same as search.";
  command.description =
      "Each trial sets a configuration, reads it back, lets it settle, and measures a window of the trace. "
      "What is "
      "learnt chooses the next. At the end the best is measured in turn with the start configuration, and "
      "stays; a "
      "configuration that the server refuses, or that is plainly worse, costs no more than it must.\n\n"
      "Every decision is on disk before it is done: with --state a search that was killed goes on where it "
      "was, and "
      "begins by putting the start configuration back. After an error or a signal that is what is set.\n\n"
      "Exit status 1: nothing keeps the objective.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  add_target(command, a.target);
  add_load(command, a.load);
  add_objective(command, a.objective);
  add_budget(command, a);
  add_window(command, a.window);
  add_tuner(command, a.options.tuner);
  add_state(command, a.state);
  command.examples = {
      {"mlq-loadgen gen poisson --rate 200/s --duration 60s | mlq-tune search --endpoint "
       "mlq:http://127.0.0.1:8002 "
       "--trace - --url http://127.0.0.1:8000/v2/models/digits/infer --slo 'p99<=20ms' --state tune.state",
       "the knobs of mlq-serve, without any file"},
      {"mlq-tune search --space triton.json --trace day.jsonl --slo 'p99<=50ms' --hot-only --dry-run",
       "what would be sent first"},
      {"mlq-tune search --space server.json --trace day.jsonl --objective min-resource --slo 'p95<=80ms' "
       "--trials 60 -o search.jsonl",
       "the least CPU time a request that keeps the objective"},
  };
  command.run = [arguments](Context& context) { return search(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
