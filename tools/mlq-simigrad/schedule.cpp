// mlq-simigrad schedule: gram records in, a batch-size schedule out.
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

#include "lib/base/io.h"
#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/emit/emit.h"
#include "lib/simigrad/replay/compact.h"
#include "lib/simigrad/replay/recording.h"
#include "lib/simigrad/replay/simulate.h"
#include "tools/mlq-simigrad/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct Emitted {
  std::string dialect;
  std::string file;  // "-" for bare text; empty for a record
};

struct ScheduleArguments {
  std::string in = "-";
  DecidingArguments deciding;
  std::vector<Emitted> emit;
  uint64_t segments = 8;
  uint64_t total_samples = 0;
  simigrad::EmitOptions emitting;
  simigrad::SimulationOptions simulation;
};

Emitted parse_emitted(std::string_view text) {
  const size_t sign = text.find('=');
  const std::string_view dialect = text.substr(0, sign);
  const auto known = simigrad::dialects();
  if (std::find(known.begin(), known.end(), dialect) == known.end())
    throw usage_error("\"{}\" is none of {}", dialect, fmt::join(known, ", "));
  Emitted emitted{std::string(dialect), sign == text.npos ? "" : std::string(text.substr(sign + 1))};
  if (sign != text.npos && emitted.file.empty()) throw usage_error("\"{}\" names no file", text);
  return emitted;
}

// What a dialect needs is missed before anything is read.
void check_emits(const ScheduleArguments& a) {
  records::ScheduleSegment probe;
  probe.batch_samples = a.emitting.micro.value_or(1) * a.emitting.workers.value_or(1);
  for (const Emitted& e : a.emit) static_cast<void>(simigrad::emit(e.dialect, {&probe, 1}, {}, a.emitting));
}

std::vector<records::ScheduleSegment> segment_records(const ScheduleArguments& a,
                                                      const simigrad::Compaction& c) {
  std::vector<records::ScheduleSegment> records;
  for (const simigrad::Segment& s : c.segments) {
    records::ScheduleSegment r;
    r.index = records.size();
    r.from_step = s.from_step;
    r.from_samples = s.from_samples;
    r.batch_samples = s.batch;
    r.lr_scale = s.lr_scale;
    if (a.emitting.seq_length) r.from_tokens = s.from_samples * *a.emitting.seq_length;
    if (a.deciding.options.micro) {
      const simigrad::Realised realised = simigrad::realised_by(a.deciding.options, s.batch);
      r.micro_samples = realised.micro;
      r.accum = realised.accum;
    }
    records.push_back(r);
  }
  return records;
}

records::BatchSchedule schedule_record(const simigrad::ControlOptions& control, const simigrad::Compaction& c,
                                       const simigrad::PolicyRun& run) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  records::BatchSchedule r;
  r.controller = name_of(control.controller);
  const bool target = has_target(control.controller);
  r.gamma = target ? control.target->gamma() : kNone;
  r.theta = target ? control.target->theta() : kNone;
  r.kappa = target ? control.target->kappa() : kNone;
  r.segments = c.segments.size();
  r.steps = c.steps;
  r.samples = c.samples;
  r.avg_batch_samples = static_cast<double>(c.samples) / static_cast<double>(c.steps);
  r.compaction_error = c.error;
  if (!run.whole) r.note = fmt::format("given up after {} steps, before the recorded progress", run.steps);
  return r;
}

void print_summary(Context& context, const simigrad::Compaction& c) {
  if (!context.wants_summary()) return;
  cli::Table table({{"from step"}, {"from samples"}, {"batch"}, {"lr scale"}});
  for (const simigrad::Segment& s : c.segments)
    table.add({cli::grouped(s.from_step), cli::grouped(s.from_samples), cli::grouped(s.batch),
               cli::rounded(s.lr_scale)});
  context.print(table.text());
}

// Each file is written once, and none is the input.
void check_files(const ScheduleArguments& a, const std::string& output) {
  namespace fs = std::filesystem;
  std::error_code none;
  const auto place = [&](const std::string& file) { return fs::weakly_canonical(fs::absolute(file), none); };
  std::set<fs::path> taken;
  if (output != "-") taken.insert(place(output));
  for (const Emitted& e : a.emit) {
    if (e.file.empty() || e.file == "-" || (fs::exists(e.file, none) && !fs::is_regular_file(e.file, none)))
      continue;
    if (a.in != "-" && place(e.file) == place(a.in))
      throw usage_error("--emit: {} is the input, and would be replaced; write to another file", e.file);
    if (!taken.insert(place(e.file)).second)
      throw usage_error("--emit: {} is named twice; name another file", e.file);
  }
}

void write_emissions(const std::vector<Emitted>& wanted, const std::vector<records::Emission>& emissions,
                     records::Writer* writer) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].file.empty()) {
      if (writer != nullptr && wanted[i].dialect != "jsonl") writer->write(emissions[i]);
      continue;
    }
    Output file = Output::open(wanted[i].file);
    file.write(emissions[i].text);
    file.close();
  }
}

ExitKind schedule(ScheduleArguments& a, Context& context) {
  a.deciding.finish();
  a.emitting.micro = a.deciding.options.micro;
  a.emitting.workers = a.deciding.options.workers;
  a.simulation.seed = context.shared().seed;
  check_emits(a);
  check_files(a, context.shared().output);
  const auto bare =
      std::count_if(a.emit.begin(), a.emit.end(), [](const Emitted& e) { return e.file == "-"; });
  if (bare > 1) throw usage_error("--emit: one dialect alone can be written to standard output");
  if (bare > 0 && context.shared().output != "-")
    throw usage_error("-o: nothing is left for it beside --emit ...=-");
  records::Reader reader(a.in, reading(context));
  simigrad::RecordSource source(reader);
  const auto run = simigrad::read_run(source);
  if (reader.interrupted()) return end_interrupted(context);
  const simigrad::Recording recording =
      simigrad::make_recording(run, a.deciding.options.estimating, reader.name());
  std::optional<records::Writer> writer;
  if (bare == 0) {
    writer.emplace(cli::open_writer(context));
    writer->run(run_record(context, &reader));
  }
  const simigrad::PolicyRun policy = simigrad::simulate(recording, a.deciding.options, a.simulation,
                                                        [&](const records::BatchSize& decision) {
                                                          if (writer) writer->write(decision);
                                                        });
  const simigrad::Compaction compaction =
      simigrad::compact(policy.stretches, a.segments, a.total_samples, a.deciding.options);
  const auto segments = segment_records(a, compaction);
  const records::BatchSchedule total = schedule_record(a.deciding.options, compaction, policy);
  if (writer) {
    for (const auto& segment : segments) writer->write(segment);
    writer->write(total);
  }
  // A dialect that cannot say it is told when the records are whole.
  std::optional<Error> broken_rule;
  std::vector<records::Emission> emissions;
  try {
    for (const Emitted& e : a.emit)
      emissions.push_back(simigrad::emit(e.dialect, segments, total, a.emitting));
    write_emissions(a.emit, emissions, writer ? &*writer : nullptr);
  } catch (const Error& error) {
    broken_rule = error;
  }
  if (writer) writer->end({});
  if (broken_rule) throw Error(*broken_rule);
  for (const records::Emission& e : emissions)
    if (bare > 0 && e.note) context.note(fmt::format("{}: {}", e.dialect, *e.note));
  print_summary(context, compaction);
  reader.finish();
  return ExitKind::done;
}

}  // namespace

cli::Command schedule_command() {
  const auto arguments = std::make_shared<ScheduleArguments>();
  ScheduleArguments& a = *arguments;
  cli::Command command;
  command.name = "schedule";
  command.summary = "A batch-size schedule from a recorded run.";
  command.description =
      "Tries a controller on recorded gram records and writes its decisions (batch_size), the schedule as a "
      "few "
      "stretches with one batch each (schedule_segment) and its totals (schedule). --emit adds it in the "
      "syntax of a "
      "trainer, as an emission record, to a file, or with =- alone to standard output.\n\n"
      "What it would have met is predicted from what was recorded; nothing is trained. Exit status 1 if a "
      "dialect "
      "cannot express the schedule.";
  command.shared = {Shared::output, Shared::seed, Shared::strict, Shared::no_provenance,
                    Shared::allow_truncated};
  command.positionals = {cli::file_positional("FILE", cli::Positional::Arity::optional,
                                              "gram records, or a journal of follow.", a.in)};
  add_deciding(command, a.deciding, true);
  command.add("Decisions", {cli::value_option("batch", "B", "static: the batch.", a.deciding.options.batch,
                                              cli::above_zero(parse_count))});
  command.add("Schedule",
              {cli::value_option("emit", "DIALECT[=FILE]", "Also in this syntax.", a.emit, parse_emitted)
                   .suggest({"jsonl", "megatron", "deepspeed", "lightning", "csv"}),
               cli::value_option("segments", "N", "Stretches that the schedule may have.", a.segments,
                                 cli::above_zero(parse_count))
                   .shown_default("8"),
               cli::value_option("seq-length", "T", "Tokens a sample.", a.emitting.seq_length,
                                 cli::above_zero(parse_count)),
               cli::value_option("epoch-samples", "N", "Samples an epoch.", a.emitting.epoch_samples,
                                 cli::above_zero(parse_count)),
               cli::value_option("total-samples", "N", "Length of the training that is planned.",
                                 a.total_samples, cli::above_zero(parse_count))
                   .shown_default("as recorded"),
               cli::choice_option("axis", "WHAT",
                                  "What of the recording a simulated step meets: the same progress, as many "
                                  "steps, or with samples the recorded steps as they were.",
                                  a.simulation.axis,
                                  {{"progress", simigrad::Axis::progress},
                                   {"samples", simigrad::Axis::samples},
                                   {"steps", simigrad::Axis::steps}})});
  command.examples = {
      {"mlq-simigrad schedule run.gram.jsonl --target 0.2 --min 256 --max 64k --micro 8 --dp 64 --seq-length "
       "4096 "
       "--emit megatron=-",
       "the option for Megatron-LM"},
      {"mlq-simigrad schedule run.gram.jsonl --target 0.2 --controller simigrad --summary",
       "by the published rule"},
      {"mlq-simigrad schedule run.gram.jsonl --controller sqrt-noise --step-cost 512 --segments 4 --emit "
       "csv=plan.csv",
       "where a step costs as much as 512 samples"},
  };
  command.run = [arguments](Context& context) { return schedule(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
