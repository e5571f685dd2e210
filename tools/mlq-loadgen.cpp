// mlq-loadgen: make, import, export, transform, describe and check arrival traces.
//
// Reads and writes streams of records (mlq-records(5)): a trace is one `arrival` a request, sorted by time.
// The program is a pure function of its arguments and input: it reads no clock, and the same seed gives the
// same bytes on any machine, with any number of threads. What a trace does to an endpoint is the business of
// mlq-replay.
#include <algorithm>

#include "lib/arrival/check/check.h"
#include "lib/arrival/describe/describe.h"
#include "lib/arrival/export/export.h"
#include "lib/arrival/import/import.h"
#include "lib/arrival/process/generate.h"
#include "lib/arrival/xform/stage.h"
#include "lib/cli/program.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"

namespace {

using namespace mlq;
using cli::Context;
using cli::Option;
using cli::Positional;
using cli::Shared;
using Arity = Positional::Arity;

std::function<void(const std::string&)> notices(Context& context) {
  return [&context](const std::string& message) { context.note(message); };
}

arrival::TraceOptions trace_options(Context& context) {
  arrival::TraceOptions options;
  options.reader.strict = context.shared().strict;
  options.reader.allow_truncated = context.shared().allow_truncated;
  options.reader.stop = &context.stop();
  options.notice = notices(context);
  return options;
}

std::string folder_of_output(const Context& context) {
  const std::string& path = context.shared().output;
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash + 1);
}

// `k/n` of --shard.
void parse_shard(std::string_view text, arrival::GenerateOptions& options) {
  const size_t slash = text.find('/');
  if (slash == text.npos) throw usage_error("\"{}\" must be K/N, as in 0/4", text);
  options.shard = cli::converted<uint32_t>(parse_count(text.substr(0, slash)));
  options.shards = cli::converted<uint32_t>(parse_count(text.substr(slash + 1)));
  if (options.shards == 0 || options.shard >= options.shards) {
    throw usage_error("\"{}\": K counts from 0 and must be below N", text);
  }
}

// The settings of all processes as options; each adds to the spec.
void add_settings(cli::Command& command, arrival::ProcessSpec& spec) {
  for (const arrival::SettingInfo& info : arrival::setting_infos()) {
    Option option;
    option.name = info.name;
    option.value = info.value;
    option.help = info.text;
    option.default_text = info.fallback;
    option.repeat = info.repeat;
    if (info.file) option.complete = cli::Complete::file;
    for (const std::string_view choice : info.choices) option.choices.emplace_back(std::string(choice));
    option.set = [&spec, name = std::string(info.name)](std::string_view value) {
      spec.settings.emplace_back(name, std::string(value));
    };
    command.add(std::string(info.group), {std::move(option)});
  }
}

void add_process(cli::Command& command, arrival::ProcessSpec& spec) {
  Positional process = cli::text_positional("PROCESS", Arity::required, "The arrival process.", spec.process);
  for (const auto& info : arrival::process_infos())
    process.choices.emplace_back(std::string(info.name), std::string(info.summary));
  Positional argument =
      cli::text_positional("ARGUMENT", Arity::optional,
                           "Of expr the formula, of rate-file the file, of preset the name.", spec.argument);
  for (const auto& info : arrival::preset_infos())
    argument.choices.emplace_back(std::string(info.name), std::string(info.summary));
  argument.closed = false;
  argument.complete = cli::Complete::file;
  command.positionals = {std::move(process), std::move(argument)};
  add_settings(command, spec);
}

cli::Command gen_command(arrival::GenerateOptions& options) {
  cli::Command command;
  command.name = "gen";
  command.summary = "Make a trace from an arrival process.";
  command.description =
      "Writes one arrival record a request. --duration gives a random number of arrivals, --count a random "
      "duration, both "
      "together exactly that many in that time. Each process takes the options of its kind; those it does "
      "not take are "
      "refused.";
  command.shared = {Shared::output, Shared::threads, Shared::seed, Shared::no_provenance};
  add_process(command, options.spec);
  Option shard;
  shard.name = "shard";
  shard.value = "K/N";
  shard.help = "Write only the arrivals with i mod N = K; the trace is the same.";
  shard.default_text = "0/1";
  shard.set = [&options](std::string_view text) { parse_shard(text, options); };
  command.add("Output",
              {std::move(shard), cli::flag("emit-path", "Also write the realised rate path as rate records.",
                                           options.emit_path)});
  command.examples = {
      {"mlq-loadgen gen poisson --rate 200/s --duration 60s", "Poisson arrivals for a minute"},
      {"mlq-loadgen gen sinusoid --rate 50/s --amplitude 0.8 --period 1h --law gamma:cv=3 --duration 2h -o "
       "day.jsonl.zst",
       "bursty arrivals on a rate that swings, compressed"},
      {"mlq-loadgen gen preset azure-conv-like --duration 10min --seed 7",
       "a workload like a public LLM trace"},
  };
  command.run = [&options](Context& context) {
    options.seed = context.shared().seed;
    options.threads = context.threads();
    options.stop = &context.stop();
    options.data_dir = cli::data_folder();
    options.progress = [&context](uint64_t done) {
      context.progress([done] { return fmt::format("{} arrivals", done); });
    };
    records::Writer writer = cli::open_writer(context);
    arrival::generate(options, cli::run_record(context), writer);
    if (context.wants_summary()) {
      context.print(fmt::format("{} in {}\n", format_count(writer.count(), "arrival"),
                                format_duration(writer.last_t_ns())));
    }
    return ExitKind::done;
  };
  return command;
}

struct ImportArguments {
  std::string format;
  std::vector<std::string> files;
  arrival::ImportOptions options;
};

void add_import_options(cli::Command& command, arrival::ImportOptions& o) {
  using namespace arrival;
  command.add(
      "Time",
      {cli::value_option(
           "origin", "TIME",
           "The source's time that becomes t_ns = 0: ISO 8601, @ and seconds since 1970, or a time "
           "from the source's own zero, as in 90s.",
           o.origin_ns, parse_origin)
           .shown_default("the first event"),
       cli::choice_option<Dequantise>(
           "dequantise", "HOW", "Spread the events of one stamp: at random (uniform) or evenly (even).",
           o.dequantise,
           {{"none", Dequantise::none}, {"uniform", Dequantise::uniform}, {"even", Dequantise::even}}),
       cli::choice_option<ImportSort>("sort", "HOW",
                                      "yes sorts events that are out of order; assume makes them an error.",
                                      o.sort, {{"yes", ImportSort::yes}, {"assume", ImportSort::assume}}),
       cli::value_option("memory", "SIZE",
                         "Rows held while sorting; beyond, sorted runs go to temporary files.",
                         o.memory_bytes, parse_size)
           .shown_default("1GiB")});
  command.add(
      "Lines",
      {cli::value_option("max-bad", "SHARE", "Lines that may be unreadable (10 always may).", o.max_bad,
                         parse_ratio)
           .shown_default("1%"),
       cli::value_option("max-line", "SIZE", "A longer line is a bad line.", o.max_line_bytes, parse_size)
           .shown_default("64MiB"),
       cli::choice_option<Failures>("failures", "HOW", "Failed requests of burstgpt.", o.failures,
                                    {{"drop", Failures::drop}, {"keep", Failures::keep}})});
  command.add(
      "Series",
      {cli::value_option("bin", "TIME", "Width of the bins of limbo and counts.", o.bin_ns, parse_duration),
       cli::choice_option<Fill>("fill", "HOW",
                                "Bins that are missing: stay a gap, are zero, or hold the one before.",
                                o.fill, {{"gap", Fill::gap}, {"zero", Fill::zero}, {"hold", Fill::hold}})});
  ImportColumns& c = o.columns;
  command.add("Columns of csv, jsonl and counts",
              {cli::text("time-col", "NAME", "Column of the time.", c.time_col),
               cli::text("time-format", "FORMAT",
                         "How times are written, as in %d/%b/%Y:%H:%M:%S %z; else numbers or ISO 8601.",
                         c.time_format),
               cli::choice_option<TimeUnit>(
                   "time-unit", "HOW", "Unit of times that are numbers.", c.time_unit,
                   {{"s", TimeUnit::s}, {"ms", TimeUnit::ms}, {"us", TimeUnit::us}, {"ns", TimeUnit::ns}}),
               cli::text("tz", "ZONE", "Zone of times that name none: UTC, +02:00 or Europe/Amsterdam.", c.tz)
                   .shown_default("UTC"),
               cli::text("input-col", "NAME", "Column of the prompt length.", c.input_col),
               cli::text("output-col", "NAME", "Column of the answer length.", c.output_col),
               cli::text("class-col", "NAME", "Column of the class.", c.class_col),
               cli::text("conversation-col", "NAME", "Column of the conversation.", c.conversation_col),
               cli::text("bytes-col", "NAME", "Column of the size in bytes.", c.bytes_col),
               cli::text("value-col", "NAME", "Column of the count of a bin.", c.value_col),
               cli::choice_option<ValueTransform>(
                   "value-transform", "HOW", "exp: the column holds the logarithm of the count.",
                   c.value_transform, {{"none", ValueTransform::none}, {"exp", ValueTransform::exp}}),
               cli::choice_option<HeaderLine>(
                   "header", "HOW", "Whether the first line names the columns.", c.header,
                   {{"detect", HeaderLine::detect}, {"yes", HeaderLine::yes}, {"no", HeaderLine::no}})});
  command.add("Provenance",
              {cli::text("source-name", "TEXT", "Name of the data set, for run.", o.source_name),
               cli::text("source-license", "TEXT", "Its licence, for run.", o.source_license)});
}

cli::Command import_command(ImportArguments& arguments) {
  cli::Command command;
  command.name = "import";
  command.summary = "Turn a foreign log or trace into records.";
  command.description =
      "Several files are read one after the other as one trace. gzip, xz and zstd are read as they are.";
  command.shared = {Shared::output, Shared::threads, Shared::seed, Shared::no_provenance};
  Positional format = cli::text_positional("FORMAT", Arity::required,
                                           "The format; auto looks at the first 64 KiB.", arguments.format);
  format.choices.emplace_back(std::string("auto"), std::string("Find out."));
  for (const auto& info : arrival::import_formats())
    format.choices.emplace_back(std::string(info.name), std::string(info.summary));
  command.positionals = {
      std::move(format),
      cli::file_positional("FILE", Arity::any_number, "Files; - is standard input.", arguments.files)};
  add_import_options(command, arguments.options);
  command.examples = {
      {"mlq-loadgen import auto access.log", "whatever it is"},
      {"mlq-loadgen import clf access.log.gz --dequantise uniform -o web.jsonl",
       "a web server's log, its seconds spread out"},
      {"mlq-loadgen import csv calls.csv --time-col when --input-col prompt --output-col answer",
       "a table of one's own"},
  };
  command.run = [&arguments](Context& context) {
    arrival::ImportOptions& options = arguments.options;
    options.seed = context.shared().seed;
    options.threads = context.threads();
    options.stop = &context.stop();
    options.notice = notices(context);
    options.temp_folder = folder_of_output(context);
    if (arguments.files.empty()) arguments.files = {"-"};
    records::Writer writer = cli::open_writer(context);
    const auto result =
        arrival::run_import(arguments.format, arguments.files, options, cli::run_record(context), writer);
    if (context.wants_summary()) {
      context.print(fmt::format("{}, {}, {}, {} out of order\n", format_count(result.lines, "line"),
                                format_count(result.records, "record"),
                                format_count(result.bad_lines, "bad line"), result.inversions));
    }
    return ExitKind::done;
  };
  return command;
}

struct ExportArguments {
  std::string format;
  std::string file = "-";
  arrival::ExportOptions options;
};

cli::Command export_command(ExportArguments& arguments) {
  cli::Command command;
  command.name = "export";
  command.summary = "Turn a trace into a foreign format.";
  command.description = "The one command whose output is not records.";
  command.shared = {Shared::output, Shared::strict, Shared::allow_truncated};
  Positional format = cli::text_positional("FORMAT", Arity::required, "The format.", arguments.format);
  for (const auto& info : arrival::export_formats())
    format.choices.emplace_back(std::string(info.name), std::string(info.summary));
  command.positionals = {std::move(format),
                         cli::file_positional("FILE", Arity::optional, "The trace.", arguments.file)};
  command.add("Time",
              {cli::value_option("origin", "TIME", "Absolute time of t_ns = 0, for formats that have one.",
                                 arguments.options.epoch_unix_ns, arrival::parse_origin)
                   .shown_default("that of the trace")});
  command.examples = {
      {"mlq-loadgen export csv trace.jsonl", "a table of all fields"},
      {"mlq-loadgen gen poisson --rate 5/s --count 20 | mlq-loadgen export gaps",
       "gaps in seconds, one a line"},
      {"mlq-loadgen export azure-llm trace.jsonl -o trace.csv", "the form of the Azure LLM traces"},
  };
  command.run = [&arguments](Context& context) {
    arguments.options.temp_folder = folder_of_output(context);
    arguments.options.notice = notices(context);
    const records::ReaderOptions reading = trace_options(context).reader;
    records::Reader reader(arguments.file, reading);
    arrival::run_export(arguments.format, reader, Output::open(context.shared().output), arguments.options);
    reader.finish();
    return ExitKind::done;
  };
  return command;
}

// Options of the commands that read a trace.
struct TraceArguments {
  std::string file = "-";
  arrival::SortMode sort = arrival::SortMode::automatic;
  uint64_t memory_bytes = uint64_t{1} << 30;

  void declare(cli::Command& command) {
    using arrival::SortMode;
    command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::allow_truncated,
                      Shared::no_provenance};
    command.positionals = {
        cli::file_positional("FILE", Arity::optional, "The trace; - is standard input.", file)};
    command.add(
        "Input",
        {cli::choice_option<SortMode>(
             "sort", "HOW",
             "Arrivals out of order: auto sorts a file that needs it, memory sorts "
             "always, assume makes them an error.",
             sort,
             {{"auto", SortMode::automatic}, {"memory", SortMode::memory}, {"assume", SortMode::assume}}),
         cli::value_option("memory", "SIZE", "Most that sorting may hold.", memory_bytes, parse_size)
             .shown_default("1GiB")});
  }
  arrival::TraceOptions options(Context& context) const {
    arrival::TraceOptions out = trace_options(context);
    out.sort = sort;
    out.memory_bytes = memory_bytes;
    return out;
  }
};

struct XformArguments {
  TraceArguments trace;
  std::vector<std::string> stages;
};

cli::Command xform_command(XformArguments& arguments) {
  cli::Command command;
  command.name = "xform";
  command.summary = "Transform a trace by stages, in order, streaming.";
  command.description =
      "Stages:\n\n"
      "scale-rate X: the rate times X, by dividing all times.\n\n"
      "thin P: keeps each arrival with probability P, by a coin of its own.\n\n"
      "clip A..B [keep-time]: keeps A <= t < B and moves A to 0; either bound may be missing.\n\n"
      "shift D: adds D to all times.\n\n"
      "loop N|TIME: repeats the trace N times, or until TIME.\n\n"
      "splice FILE...: other traces behind it, each at its duration.\n\n"
      "superpose FILE...: other traces at the same time.\n\n"
      "dequantise uniform|even: spreads the arrivals of one stamp.";
  arguments.trace.declare(command);
  command.add("Stages",
              {cli::text("do", "STAGE", "A stage with its arguments, as in 'thin 10%'.", arguments.stages)});
  command.examples = {
      {"mlq-loadgen xform --do 'clip 60s..120s' trace.jsonl", "the second minute"},
      {"mlq-loadgen xform --do 'scale-rate 2' --do 'thin 50%' trace.jsonl",
       "twice the rate, half of it kept"},
      {"mlq-loadgen xform --do 'superpose background.jsonl' trace.jsonl", "two traces at once"},
  };
  command.run = [&arguments](Context& context) {
    if (arguments.stages.empty())
      throw usage_error("there is no stage; give at least one --do, as in --do 'thin 10%'");
    arrival::XformOptions options;
    options.trace = arguments.trace.options(context);
    options.seed = context.shared().seed;
    records::Writer writer = cli::open_writer(context);
    arrival::run_xform(arguments.stages, arguments.trace.file, options, cli::run_record(context), writer);
    return ExitKind::done;
  };
  return command;
}

struct StatArguments {
  TraceArguments trace;
  arrival::StatOptions options;
};

void print_stat(Context& context, const arrival::StatSummary& summary) {
  for (const records::TraceStat& stat : summary.stats) {
    cli::Table table({{"class", cli::Align::left}, {stat.klass, cli::Align::right}});
    for (const auto& [name, value] : arrival::summary_rows(stat)) table.add({name, value});
    context.print(table.text());
  }
  if (summary.bins.empty()) return;
  cli::Chart chart;
  chart.width = static_cast<size_t>(context.terminal().err_width) - 16;
  chart.utf8 = context.terminal().utf8;
  chart.from = "0";
  chart.to = format_duration(summary.bin_ns * static_cast<int64_t>(summary.bins.size()));
  context.print(fmt::format("\narrivals in each {}:\n", format_duration(summary.bin_ns)) +
                chart.text(summary.bins));
}

cli::Command stat_command(StatArguments& arguments) {
  cli::Command command;
  command.name = "stat";
  command.summary = "Describe a trace.";
  command.description =
      "Writes trace_stat (for all and for each class), idc, acf, qq, hist and bin records, in constant "
      "memory; with "
      "--summary (or on a terminal) also a table and a chart of the rate on standard error. A series of bin "
      "records, as "
      "import gives for counts, can be described too.";
  arguments.trace.declare(command);
  command.add("Output", {cli::value_option("emit", "KIND,...", "Which records to write.",
                                           arguments.options.emit, arrival::parse_stat_kinds)
                             .shown_default("trace_stat,idc,acf,qq,hist,bin"),
                         cli::value_option("bin", "TIME", "Width of the bins.", arguments.options.bin_ns,
                                           parse_duration)
                             .shown_default("a hundredth of the trace, rounded")});
  command.examples = {
      {"mlq-loadgen gen gamma --rate 100/s --cv 2 --duration 60s | mlq-loadgen stat --emit trace_stat,idc",
       "burstiness"},
      {"mlq-loadgen stat --summary --emit trace_stat trace.jsonl", "a table and a chart"},
      {"mlq-loadgen stat --emit bin --bin 1s trace.jsonl", "the rate, second by second"},
  };
  command.run = [&arguments](Context& context) {
    arguments.options.trace = arguments.trace.options(context);
    records::Writer writer = cli::open_writer(context);
    const auto summary =
        arrival::run_stat(arguments.trace.file, arguments.options, cli::run_record(context), writer);
    if (context.wants_summary()) print_stat(context, summary);
    return ExitKind::done;
  };
  return command;
}

struct CheckArguments {
  TraceArguments trace;
  arrival::CheckOptions options;
};

cli::Command check_command(CheckArguments& arguments) {
  cli::Command command;
  command.name = "check";
  command.summary = "Test whether a trace is what it claims to be.";
  command.description =
      "Writes one test record a test and one verdict. Exit status 1 if a test fails: p-values are corrected "
      "for their "
      "number by Holm's rule, so that a trace that keeps the claim fails with probability --alpha. A test "
      "whose assumptions "
      "do not hold is skipped, never passed.";
  arguments.trace.declare(command);
  command.add("Claim",
              {cli::text("against", "CLAIM",
                         "poisson (of any constant rate), self (the spec in the trace's run record), or "
                         "the text of a process.",
                         arguments.options.against)
                   .shown_default("self where the trace has a spec, else poisson")
                   .suggest({"poisson", "self"}),
               cli::value_option("alpha", "P", "Chance that a trace that keeps the claim fails.",
                                 arguments.options.alpha, parse_double)
                   .shown_default("0.01")});
  command.examples = {
      {"mlq-loadgen gen poisson --rate 200/s --duration 60s | mlq-loadgen check --against poisson",
       "is it Poisson?"},
      {"mlq-loadgen check trace.jsonl && echo as claimed", "in a script"},
      {"mlq-loadgen check --against 'gamma --rate 50/s --cv 2' trace.jsonl", "a claim of one's own"},
  };
  command.run = [&arguments](Context& context) {
    arguments.options.trace = arguments.trace.options(context);
    arguments.options.data_dir = cli::data_folder();
    arguments.options.seed = context.shared().seed;
    records::Writer writer = cli::open_writer(context);
    const records::Verdict verdict =
        arrival::run_check(arguments.trace.file, arguments.options, cli::run_record(context), writer);
    if (context.wants_summary()) {
      context.print(verdict.pass
                        ? fmt::format("pass: {} tests at alpha {}\n", verdict.tests, verdict.alpha)
                        : fmt::format("FAIL: {}\n", verdict.failed.value_or("no test could be made")));
    }
    return verdict.pass ? ExitKind::done : ExitKind::answer_no;
  };
  return command;
}

cli::Command explain_command(arrival::ProcessSpec& spec) {
  cli::Command command;
  command.name = "explain";
  command.summary = "Say what theory expects of a process; nothing is generated.";
  command.description =
      "Writes one expected record: formula, mean rate, coefficient of variation of the gaps, and index of "
      "dispersion in long windows.";
  command.shared = {Shared::output, Shared::seed, Shared::no_provenance};
  add_process(command, spec);
  command.examples = {
      {"mlq-loadgen explain gamma --rate 100/s --cv 3", "a bursty process"},
      {"mlq-loadgen explain mmpp --rates 10/s,200/s --sojourn 30s,5s", "two states"},
      {"mlq-loadgen explain preset azure-conv-like", "a preset"},
  };
  command.run = [&spec](Context& context) {
    arrival::BuildContext build;
    build.seed = context.shared().seed;
    build.data_dir = cli::data_folder();
    const records::Expected expected = arrival::expected(spec, build);
    records::Writer writer = cli::open_writer(context);
    writer.run(cli::run_record(context));
    writer.write(expected);
    writer.end({});
    return ExitKind::done;
  };
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  arrival::GenerateOptions gen;
  ImportArguments import;
  ExportArguments export_arguments;
  XformArguments xform;
  StatArguments stat;
  CheckArguments check;
  arrival::ProcessSpec explain;

  cli::Program program;
  program.name = "mlq-loadgen";
  program.version = MLQ_VERSION;
  program.summary = "Make, import, export, transform, describe and check arrival traces.";
  program.root.name = program.name;
  program.root.description =
      "Traces are JSON Lines, one arrival a request, with times in nanoseconds; see mlq-records(5). The same "
      "seed gives the "
      "same bytes on any machine, with any number of threads and shards.";
  program.root.commands = {gen_command(gen),        import_command(import), export_command(export_arguments),
                           xform_command(xform),    stat_command(stat),     check_command(check),
                           explain_command(explain)};
  program.root.examples = {
      {"mlq-loadgen gen poisson --rate 200/s --duration 60s -o trace.jsonl", "make a trace"},
      {"mlq-loadgen stat --summary --emit trace_stat trace.jsonl", "describe it"},
      {"mlq-loadgen check --against poisson trace.jsonl", "is it really Poisson?"},
  };
  return cli::run_main(program, argc, argv);
}
