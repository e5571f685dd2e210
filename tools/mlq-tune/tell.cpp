// mlq-tune tell: one result in.
#include <fmt/format.h>

#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/records/load_schema.h"
#include "lib/records/reader.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/drive/ask_tell.h"
#include "lib/tune/drive/emitter.h"
#include "tools/mlq-tune/commands.h"
#include "tools/mlq-tune/target.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct TellArguments {
  TargetArguments target;
  ObjectiveArguments objective;
  StateArguments state;
  tune::TunerOptions tuner;
  std::string file = "-";
  std::optional<uint64_t> i;
  std::optional<int64_t> latency_ns;
  std::optional<double> cost;
  bool failed = false;
};

// The results in a stream: tell records, or the summaries of mlq-replay.
std::vector<std::pair<records::Tell, std::string>> read_results(const TellArguments& a, Context& context) {
  std::vector<std::pair<records::Tell, std::string>> out;
  records::ReaderOptions options;
  options.strict = context.shared().strict;
  options.allow_truncated = context.shared().allow_truncated;
  options.stop = &context.stop();
  records::Reader reader(a.file, options);
  while (reader.next()) {
    if (reader.type() == "tell") {
      out.emplace_back(reader.as<records::Tell>(), reader.where());
    } else if (reader.type() == "summary") {
      const auto summary = reader.as<records::Summary>();
      if (summary.klass != "*") continue;
      records::Tell tell = tune::tell_of(summary);
      tell.i = a.i;
      out.emplace_back(tell, reader.where());
    } else {
      reader.pass_over();
    }
  }
  reader.finish();
  if (out.empty()) throw input_error("{}: there is no tell record and no summary in it", reader.name());
  return out;
}

ExitKind tell(TellArguments& a, Context& context) {
  if (a.state.file.empty()) throw usage_error("--state is missing; it is where asks and tells are kept");
  std::vector<std::pair<records::Tell, std::string>> results;
  const int given = int{a.latency_ns.has_value()} + int{a.cost.has_value()} + int{a.failed};
  if (given > 1) throw usage_error("--latency, --cost, --failed: a result is one of them");
  if (given > 0 && a.file != "-")
    throw usage_error("FILE: {} is not read where --{} is the result; give one of them", a.file,
                      a.latency_ns ? "latency"
                      : a.cost     ? "cost"
                                   : "failed");
  if (given > 0) {
    records::Tell result;
    result.i = a.i;
    result.latency_ns = a.latency_ns;
    result.cost = a.cost;
    if (a.failed) result.failed = true;
    results.emplace_back(result, "the command line");
  } else {
    results = read_results(a, context);
  }
  const auto space = make_space(a.target, context);
  const tune::Objective objective = make_objective(a.objective);
  a.tuner.seed = context.shared().seed;
  a.tuner.latency = objective.is_latency();
  a.tuner.limit_ns = objective.limit_ns();
  const auto journal = open_journal(a.state, "tell", *space, context);
  tune::AskTell search(a.tuner, *space, objective, start_point(a.target, *space, context), journal->before());
  records::Run run = cli::run_record(context);
  run.space_xxh3 = space->xxh3();
  records::Writer writer = cli::open_writer(context);
  // Everything is looked at before anything is kept.
  std::vector<records::Tell> kept;
  for (auto& [result, where] : results) {
    if (!result.i && !result.config) {
      const auto pending = search.pending();
      if (!pending)
        throw input_error(
            "{}: nothing was asked for, and the result names no configuration; mlq-tune ask asks for one",
            where);
      result.i = pending->i;
    }
    if (search.tell(result, where)) {
      kept.push_back(result);
    } else {
      context.note(fmt::format("trial {} was told before, with the same result", *result.i));
    }
  }
  tune::Emitter emitter(writer, kept.empty() ? nullptr : journal.get());
  emitter.run(run);
  for (const records::Tell& result : kept) emitter.write(result);
  emitter.end({});
  return ExitKind::done;
}

}  // namespace

cli::Command tell_command() {
  const auto arguments = std::make_shared<TellArguments>();
  TellArguments& a = *arguments;
  cli::Command command;
  command.name = "tell";
  command.summary = "One result in: the other half of ask.";
  command.description =
      "Takes tell records, or the summary of a run of mlq-replay, from a file or standard input; or a single "
      "figure "
      "from the command line. A result without a number is of the configuration that was asked for last. The "
      "same "
      "result told twice counts once; another one for the same trial is an error.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  command.positionals = {cli::file_positional("FILE", cli::Positional::Arity::optional,
                                              "Where the results are; - is standard input.", a.file)};
  add_target(command, a.target);
  add_objective(command, a.objective);
  command.add("Result",
              {cli::value_option("i", "N", "The trial that the result is of.", a.i, parse_count)
                   .shown_default("the one that was asked for"),
               cli::value_option("latency", "TIME", "The objective's statistic.", a.latency_ns,
                                 cli::above_zero(parse_duration)),
               cli::value_option("cost", "X", "Or a cost, above 0.", a.cost, cli::above_zero(parse_double)),
               cli::flag("failed", "The configuration did not work.", a.failed)});
  add_tuner(command, a.tuner);
  add_state(command, a.state);
  command.examples = {
      {"mlq-tune tell --space space.json --state tune.state --latency 12ms", "a single figure"},
      {"mlq-replay run --url http://127.0.0.1:8000/ trace.jsonl --results none | mlq-tune tell --space "
       "space.json "
       "--state tune.state --slo 'p99<=50ms'",
       "what mlq-replay measured"},
      {"mlq-tune tell --space space.json --state tune.state --i 3 --failed",
       "the server would not start with it"},
  };
  command.run = [arguments](Context& context) { return tell(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
