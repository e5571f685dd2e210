// mlq-quant plan: a format for each tensor under one budget.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "lib/base/units.h"
#include "lib/quant/plan.h"
#include "lib/records/quant_schema.h"
#include "lib/records/reader.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;
using quant::Format;

struct PlanArguments {
  std::string in, importance;
  quant::PlanOptions options;
  bool bf16_npy = false;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};

std::map<std::string, double> read_importance(const std::string& path, const Context& context) {
  records::ReaderOptions reading;
  reading.strict = context.shared().strict;
  records::Reader reader(path, reading);
  std::map<std::string, double> weights;
  while (reader.next()) {
    if (reader.type() != "importance") {
      reader.pass_over();
      continue;
    }
    const auto record = reader.as<records::Importance>();
    if (!(record.weight >= 0)) throw input_error("{}: \"weight\" must be 0 or above", reader.where());
    if (!weights.emplace(record.name, record.weight).second)
      throw input_error("{}: {} stands in it twice", reader.where(), tensorfile::in_quotes(record.name));
  }
  reader.finish();
  return weights;
}

records::QuantPlan record_of(const quant::PlannedTensor& t) {
  records::QuantPlan record;
  record.name = t.info.name;
  const quant::Spec& spec = t.chosen.spec;
  record.format = quant::format_info(spec.format).name;
  record.bits_per_weight = t.chosen.bits_per_weight;
  if (quant::is_block_int(spec.format)) {
    record.block = quant::block_text(spec);
    record.grid = quant::name_of(spec.grid);
    record.scale = quant::name_of(spec.scale);
  }
  if (spec.format == Format::ec) record.step = spec.step;
  record.snr_db = std::numeric_limits<double>::quiet_NaN();
  record.rel_rmse = 0;
  if (spec.format == Format::raw) return record;
  if (t.energy > 0) record.rel_rmse = std::sqrt(t.chosen.noise / t.energy);
  if (t.energy > 0 && t.chosen.noise > 0) record.snr_db = quant::snr_db_of(t.energy, t.chosen.noise);
  record.weight = t.weight;
  record.slope = t.slope;
  return record;
}

ExitKind plan(PlanArguments& a, Context& context) {
  const auto& budget = a.options.budget;
  if (int(budget.bits.has_value()) + int(budget.snr_db.has_value()) + int(budget.rmse.has_value()) != 1)
    throw usage_error("a plan needs one budget: --bits, --snr or --rmse");
  if (!a.importance.empty()) a.options.importance = read_importance(a.importance, context);
  const tensorfile::Source source = open_plain_model(context, a.in, a.bf16_npy);
  a.options.resources = resources(context, a.memory_bytes, total_bytes(source));
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  const quant::Plan made = quant::make_plan(source, a.options);
  if (!made.interrupted)
    for (const quant::PlannedTensor& tensor : made.tensors) stream.plan(record_of(tensor));
  stream.end(made.interrupted);
  if (!made.interrupted && context.wants_summary())
    context.print(fmt::format("{} tensors, {:.3f} bits a weight, {:.2f} dB (estimated on samples)\n",
                              made.tensors.size(), made.bits_per_weight, made.snr_db));
  return ExitKind::done;
}

}  // namespace

std::map<std::string, quant::Spec> read_plan(const std::string& path, bool strict) {
  records::ReaderOptions reading;
  reading.strict = strict;
  records::Reader reader(path, reading);
  std::map<std::string, quant::Spec> plan;
  while (reader.next()) {
    if (reader.type() != "plan") {
      reader.pass_over();
      continue;
    }
    const auto record = reader.as<records::QuantPlan>();
    quant::Spec spec;
    try {
      spec = quant::default_spec(quant::parse_format(record.format));
      if (record.block) quant::parse_block(*record.block, spec);
      if (record.grid) spec.grid = quant::parse_grid(*record.grid);
      if (record.scale) spec.scale = quant::parse_float(*record.scale);
      if (record.step) spec.step = *record.step;
      quant::validate(spec);
      if (spec.format == Format::ec && !(spec.step > 0 && std::isfinite(spec.step)))
        throw usage_error("ec needs a \"step\" above 0");
    } catch (const Error& error) {
      throw input_error("{}: {}", reader.where(), error.what());
    }
    if (!plan.emplace(record.name, spec).second)
      throw input_error("{}: {} stands in it twice", reader.where(), tensorfile::in_quotes(record.name));
  }
  reader.finish();
  if (plan.empty()) throw input_error("{}: holds no plan record", reader.name());
  return plan;
}

cli::Command plan_command() {
  const auto arguments = std::make_shared<PlanArguments>();
  PlanArguments& a = *arguments;
  cli::Command command;
  command.name = "plan";
  command.summary = "Choose a format for each tensor under one budget.";
  command.description =
      "Measures candidates on samples of every tensor and writes a plan record for each; the stream is what "
      "encode --plan "
      "obeys. Edit it with jq.";
  command.shared = {Shared::output, Shared::threads, Shared::strict, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("IN", cli::Positional::Arity::required,
                           "Weights: a file, an index.json, a folder, or - for standard input.", a.in)};
  command.add(
      "Budget",
      {cli::value_option("bits", "B", "Bits a weight of all selected tensors together.",
                         a.options.budget.bits, cli::above_zero(parse_double)),
       cli::value_option("snr", "DB", "Signal to noise of all together, each weighted by the objective.",
                         a.options.budget.snr_db, parse_decibels),
       cli::value_option("rmse", "R", "Root mean square error of all together, in units of the weights.",
                         a.options.budget.rmse, cli::above_zero(parse_double)),
       cli::choice_option(
           "objective", "NAME", "What an error counts: relative to its tensor's mean square, or as it is.",
           a.options.objective, {{"rel", quant::Objective::relative}, {"abs", quant::Objective::absolute}}),
       cli::text("importance", "FILE", "importance records: what errors of a tensor count, instead.",
                 a.importance)
           .file()});
  command.add("Tensors", selection_options(a.options.selection));
  cli::Option formats;
  formats.name = "formats";
  formats.value = "NAME,..";
  formats.help = "Candidates.";
  formats.default_text = "ec,int8,int4,int3,int2,raw";
  formats.set = [&a](std::string_view text) { a.options.formats = parse_formats(text); };
  command.add("Tensors",
              {std::move(formats),
               cli::flag("npy-bf16", "Two-byte elements of an .npy file are bfloat16.", a.bf16_npy),
               memory_option(a.memory_bytes)});
  command.examples = {
      {"mlq-quant plan model.safetensors --bits 4 -o plan.jsonl", "where are four bits a weight spent best?"},
      {"mlq-quant encode model.safetensors --plan plan.jsonl -o model.mlq.safetensors", "and obey"},
      {"mlq-quant plan model.safetensors --snr 30 --formats int8,int4,int3 --summary", "integers alone"},
  };
  command.run = [arguments](Context& context) { return plan(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
