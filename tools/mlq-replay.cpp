// mlq-replay: send a trace on time, and measure it honestly.
//
// merge joins what shards of one run wrote: the very quantiles of one process, or a refusal. report makes the
// figures of a run anew, with another objective, of a slice, or in another form. Both read and write streams
// of records (mlq-records(5)); neither reads a clock.
#include <algorithm>

#include "lib/cli/program.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/replay/merge.h"
#include "lib/replay/report.h"

namespace {

using namespace mlq;
using cli::Context;
using cli::Option;
using cli::Shared;
using Arity = cli::Positional::Arity;

std::function<void(const std::string&)> notices(Context& context) {
  return [&context](const std::string& message) { context.note(message); };
}

records::ReaderOptions reader_options(Context& context) {
  records::ReaderOptions options;
  options.strict = context.shared().strict;
  options.allow_truncated = context.shared().allow_truncated;
  options.stop = &context.stop();
  return options;
}

std::string folder_of_output(const Context& context) {
  const std::string& path = context.shared().output;
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash + 1);
}

void print_summaries(Context& context, const std::vector<records::Summary>& summaries) {
  for (const records::Summary& summary : summaries) {
    cli::Table table({{"class", cli::Align::left}, {summary.klass, cli::Align::right}});
    for (const auto& [name, value] : replay::summary_rows(summary)) table.add({name, value});
    context.print(table.text());
    if (summary.note) context.print(*summary.note + "\n");
  }
}

// Exit status 1 if the objective was missed, and on request if the run cannot be trusted.
ExitKind answer(const records::Summary& all, bool require_valid) {
  const bool missed = !all.slo_pass.value_or(true);
  return missed || (require_valid && !all.valid) ? ExitKind::answer_no : ExitKind::done;
}

Option require_valid_option(bool& target) {
  return cli::flag("require-valid", "Exit status 1 if the sender did not keep its plan.", target);
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

cli::Command merge_command(MergeArguments& arguments) {
  cli::Command command;
  command.name = "merge";
  command.summary = "Join the outputs of the shards of one run.";
  command.description =
      "Writes what one process would have written that had sent everything: result records in order of "
      "due_ns, "
      "load_window, hist, outcome and summary. Histograms and counts add, so quantiles are exact to the bit. "
      "What does not add (inflight_max, lag_drift_ns_per_min) is left out.\n\n"
      "Exit status 3 unless the files are the shards of one run, each once, and account for the whole trace; "
      "1 "
      "if the objective of the run was missed.";
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
      {"mlq-replay merge --summary out.*.jsonl.zst | jq 'select(.type==\"summary\")'", "the figures alone"},
      {"mlq-replay merge --partial out.0.jsonl", "what there is of a run of which a rank died"},
  };
  command.run = [&arguments](Context& context) {
    arguments.options.reader = reader_options(context);
    arguments.options.temp_folder = folder_of_output(context);
    arguments.options.notice = notices(context);
    records::Writer writer = cli::open_writer(context);
    const replay::MergeOutcome outcome =
        replay::run_merge(arguments.files, arguments.options, cli::run_record(context), writer);
    if (outcome.interrupted) return ExitKind::done;
    if (context.wants_summary()) {
      print_shards(context, outcome.shards);
      print_summaries(context, outcome.summaries);
    }
    return answer(outcome.summaries.front(), arguments.require_valid);
  };
  return command;
}

struct ReportArguments {
  std::vector<std::string> files;
  replay::ReportOptions options;
  replay::WindowOptions windows;
  std::string format = "jsonl";
  bool require_valid = false;
};

// `ok,reset`: added to `outcomes`.
void parse_outcomes(std::string_view text, std::vector<replay::Outcome>& outcomes) {
  for (;;) {
    const std::string_view word = text.substr(0, text.find(','));
    const auto outcome = replay::outcome_named(word);
    if (!outcome) throw usage_error("\"{}\" is no outcome; see outcome in mlq-records(5)", word);
    outcomes.push_back(*outcome);
    if (word.size() == text.size()) return;
    text.remove_prefix(word.size() + 1);
  }
}

void write_text(Context& context, const std::string& text) {
  Output output = Output::open(context.shared().output);
  output.write(text);
  output.close();
}

void write_report(Context& context, const ReportArguments& arguments, const replay::Report& report) {
  if (arguments.format == "md") return write_text(context, replay::report_markdown(report));
  if (arguments.format == "csv") return write_text(context, replay::report_csv(report));
  if (arguments.format == "hgrm") return write_text(context, replay::report_hgrm(report));
  records::Writer writer = cli::open_writer(context);
  replay::write_report(report, cli::run_record(context), writer);
}

void add_report_options(cli::Command& command, ReportArguments& arguments) {
  replay::ReportOptions& o = arguments.options;
  command.add("Objective",
              {cli::text("slo", "EXPR", "Judge by this objective, in place of the run's.", o.slo),
               require_valid_option(arguments.require_valid)});
  Option where;
  where.name = "where-outcome";
  where.value = "OUTCOME,...";
  where.help = "Requests with one of these outcomes.";
  where.repeat = true;
  where.set = [&o](std::string_view text) { parse_outcomes(text, o.outcomes); };
  command.add("Slice",
              {cli::text("class", "NAME", "Requests of this class.", o.klass),
               cli::value_option("from", "TIME", "Requests due from then on.", o.from_ns, parse_duration),
               cli::value_option("to", "TIME", "Requests due before then.", o.to_ns, parse_duration),
               std::move(where)});
  command.add("Windows", {cli::value_option("window", "TIME", "Windows by due time.",
                                            arguments.windows.window_ns, parse_duration),
                          cli::value_option("window-n", "N", "Windows of this many consecutive requests.",
                                            arguments.windows.window_n, parse_count)});
  command.add("Output", {cli::text("format", "FORMAT", "Form of the report.", arguments.format)
                             .one_of({{"jsonl", "records"},
                                      {"md", "tables for people, in Markdown"},
                                      {"csv", "a line a summary and window"},
                                      {"hgrm", "percentiles of latency, as HdrHistogram prints them"}})
                             .shown_default("jsonl")});
}

cli::Command report_command(ReportArguments& arguments) {
  cli::Command command;
  command.name = "report";
  command.summary = "Make the figures of a run anew: another objective, slice, window or form.";
  command.description =
      "Reads what run or merge wrote; several files count as one run. Slices by time or outcome, windows and "
      "other per-request terms of the objective need the result records of all requests; the rest comes from "
      "the hist records.\n\n"
      "Exit status 1 if the objective is missed.";
  command.shared = {Shared::output, Shared::strict, Shared::allow_truncated, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("FILE", Arity::any_number, "Runs; - is standard input.", arguments.files)};
  add_report_options(command, arguments);
  command.examples = {
      {"mlq-replay report --format md run.jsonl", "tables for people"},
      {"mlq-replay report --slo 'p99<=50ms && error_rate<=1%' run.jsonl && echo met", "another objective"},
      {"mlq-replay report --class chat --from 60s --format hgrm run.jsonl -o chat.hgrm",
       "the percentiles of a slice"},
  };
  command.run = [&arguments](Context& context) {
    arguments.options.reader = reader_options(context);
    arguments.options.notice = notices(context);
    if (arguments.files.empty()) arguments.files = {"-"};
    if (arguments.windows.window_ns != 0 || arguments.windows.window_n != 0)
      arguments.options.windows = arguments.windows;
    const replay::Report report = replay::make_report(arguments.files, arguments.options);
    write_report(context, arguments, report);
    if (context.wants_summary()) print_summaries(context, report.summaries);
    return answer(report.summaries.front(), arguments.require_valid);
  };
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  MergeArguments merge;
  ReportArguments report;

  cli::Program program;
  program.name = "mlq-replay";
  program.version = MLQ_VERSION;
  program.summary = "Send a trace on time, and measure it honestly.";
  program.root.name = program.name;
  program.root.description =
      "Latency is from the instant at which a request was due, not from when it was sent; what was late, "
      "dropped or never answered stays in the figures.";
  program.root.commands = {merge_command(merge), report_command(report)};
  program.root.examples = {
      {"mlq-replay merge out.*.jsonl -o run.jsonl", "join the shards of a run"},
      {"mlq-replay report --format md run.jsonl", "tables for people"},
      {"mlq-replay report --slo 'p99<=50ms' run.jsonl && echo met", "another objective"},
  };
  return cli::run_main(program, argc, argv);
}
