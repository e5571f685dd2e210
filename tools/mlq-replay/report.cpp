// mlq-replay report: the figures of a run anew. Reads no clock.
#include <memory>

#include "lib/cli/provenance.h"
#include "lib/cli/replaced_input.h"
#include "lib/replay/report.h"
#include "tools/mlq-replay/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Option;
using cli::Shared;
using Arity = cli::Positional::Arity;

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
  if (context.stop() && context.shared().output != "-") return;  // half a report does not replace a file
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
              {cli::text("slo", "TERMS", "Judge by this objective, in place of the run's.", o.slo),
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
  command.add("Windows", {cli::value_option("window", "TIME", "Windows of this length, by due time.",
                                            arguments.windows.window_ns, cli::above_zero(parse_duration)),
                          cli::value_option("window-n", "N", "Windows of this many consecutive requests.",
                                            arguments.windows.window_n, cli::above_zero(parse_count))});
  command.add("Output", {cli::text("format", "FORMAT", "Form of the report.", arguments.format)
                             .one_of({{"jsonl", "records"},
                                      {"md", "tables for people, in Markdown"},
                                      {"csv", "a line a summary and window"},
                                      {"hgrm", "percentiles of latency, as HdrHistogram prints them"}})
                             .shown_default("jsonl")});
}

}  // namespace

cli::Command report_command() {
  const auto owned = std::make_shared<ReportArguments>();
  ReportArguments& arguments = *owned;
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
      {"mlq-replay report --class chat --from 1s --format hgrm run.jsonl -o chat.hgrm",
       "the percentiles of one class, without the first second"},
  };
  command.run = [owned](Context& context) {
    ReportArguments& given = *owned;
    if (given.format != "jsonl") cli::refuse_replaced_input(context.shared().output, given.files);
    given.options.reader = reader_options(context);
    given.options.notice = [&context](const std::string& message) { context.note(message); };
    if (given.files.empty()) given.files = {"-"};
    if (given.windows.window_ns != 0 || given.windows.window_n != 0) given.options.windows = given.windows;
    const replay::Report report = replay::make_report(given.files, given.options);
    write_report(context, given, report);
    if (context.wants_summary()) print_summaries(context, report.summaries);
    return answer(report.summaries.front(), given.require_valid);
  };
  return command;
}

}  // namespace mlq::tools
