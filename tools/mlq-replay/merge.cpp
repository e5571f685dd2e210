// mlq-replay merge: the very quantiles of one process, or a refusal. Reads no clock.
#include <memory>

#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/replay/merge.h"
#include "tools/mlq-replay/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;
using Arity = cli::Positional::Arity;

std::string folder_of_output(const Context& context) {
  const std::string& path = context.shared().output;
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash + 1);
}

struct MergeArguments {
  std::vector<std::string> files;
  replay::MergeOptions options;
  bool require_valid = false;
};

void print_shards(Context& context, const std::vector<replay::ShardFacts>& shards) {
  using cli::Align;
  cli::Table table({{"shard", Align::right},
                    {"requests", Align::right},
                    {"lag p99", Align::right},
                    {"start skew", Align::right},
                    {"clock error", Align::right},
                    {"doubts", Align::left}});
  const auto time = [](const std::optional<int64_t>& ns) {
    return ns ? replay::time_text(static_cast<double>(*ns)) : std::string("-");
  };
  for (const replay::ShardFacts& s : shards) {
    table.add({std::to_string(s.shard), cli::grouped(s.planned), time(s.lag_p99_ns), time(s.start_skew_ns),
               time(s.clock_error_ns), s.why.empty() ? "none" : s.why});
  }
  context.print(table.text());
}

}  // namespace

cli::Command merge_command() {
  const auto owned = std::make_shared<MergeArguments>();
  MergeArguments& arguments = *owned;
  cli::Command command;
  command.name = "merge";
  command.summary = "Join the outputs of the shards of one run.";
  command.description =
      "Writes what one process would have written that had sent everything: result records in order of "
      "due_ns, load_window, hist, outcome and summary. Histograms and counts add, so quantiles are those of "
      "one process to the bit. What does not add (inflight_max, lag_drift_ns_per_min) is left out.\n\n"
      "Exit status 3 unless the files are the shards of one run, each once, and account for the whole trace; "
      "1 if the objective of the run was missed.";
  command.shared = {Shared::output, Shared::strict, Shared::no_provenance};
  command.positionals = {cli::file_positional("FILE", Arity::one_or_more,
                                              "What mlq-replay run --shard wrote.", arguments.files)};
  command.add("Input",
              {cli::flag("partial", "Go on without shards that are not there; the summary is not valid then.",
                         arguments.options.partial),
               cli::value_option("memory", "SIZE",
                                 "Results held while sorting; beyond, sorted runs go to temporary files.",
                                 arguments.options.memory_bytes, parse_size)
                   .shown_default("1GiB")});
  command.add("Verdict", {require_valid_option(arguments.require_valid)});
  command.examples = {
      {"mlq-replay merge out.0.jsonl out.1.jsonl -o run.jsonl", "two shards become one run"},
      {"mlq-replay merge --summary out.*.jsonl | jq 'select(.type==\"summary\")'",
       "the figures alone, and each shard's lag and start as a table"},
      {"mlq-replay merge --partial out.0.jsonl", "what there is of a run of which a rank died"},
  };
  command.run = [owned](Context& context) {
    replay::MergeOptions& settings = owned->options;
    settings.reader = reader_options(context);
    settings.temp_folder = folder_of_output(context);
    settings.notice = [&context](const std::string& message) { context.note(message); };
    records::Writer writer = cli::open_writer(context);
    const replay::MergeOutcome outcome =
        replay::run_merge(owned->files, settings, cli::run_record(context), writer);
    if (outcome.interrupted) return ExitKind::done;
    if (context.wants_summary()) {
      print_shards(context, outcome.shards);
      print_summaries(context, outcome.summaries);
    }
    return answer(outcome.summaries.front(), owned->require_valid);
  };
  return command;
}

}  // namespace mlq::tools
