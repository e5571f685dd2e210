// mlq-simigrad gen: gradients whose noise scale is known.
#include <cmath>
#include <utility>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/synth/gradient.h"
#include "tools/mlq-simigrad/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

enum class SignalShape { e1, uniform };

struct GenArguments {
  simigrad::GramLaw law;
  SignalShape signal = SignalShape::e1;
  std::optional<uint64_t> params;
  bool gram_only = false;
  uint64_t tensors = 1;
  tensorfile::Dtype dtype = tensorfile::Dtype::f32;
  simigrad::DumpFormat format = simigrad::DumpFormat::safetensors;
};

void check(GenArguments& a) {
  if (a.law.groups < 2 || a.law.groups > 32)
    throw usage_error("--groups: {} must be from 2 to 32", a.law.groups);
  const uint64_t params = a.params.value_or(a.law.d_eff);
  if (params < a.law.d_eff)
    throw usage_error("--params: {} is below --d-eff {}; the noise needs as many coordinates", params,
                      a.law.d_eff);
  if (a.signal == SignalShape::uniform)
    a.law.alignment = std::sqrt(static_cast<double>(a.law.d_eff) / static_cast<double>(params));
}

records::Writer open_stream(Context& context) {
  records::Writer writer = cli::open_writer(context);
  records::Run run = run_record(context, nullptr);
  run.seed = context.shared().seed;
  writer.run(run);
  return writer;
}

ExitKind gen_grams(GenArguments& a, Context& context) {
  records::Writer writer = open_stream(context);
  records::End end;
  for (uint64_t step = 0; step < a.law.steps; ++step) {
    if (context.stop()) {
      end.interrupted = true;
      break;
    }
    records::Gram gram = simigrad::draw_gram(a.law, step, context.shared().seed);
    if (a.params) gram.params = a.params;
    writer.write(gram);
  }
  writer.end(end);
  return ExitKind::done;
}

// -o is the folder; the records say what is in it.
ExitKind gen_dumps(GenArguments& a, Context& context) {
  const std::string folder = std::exchange(context.shared().output, "-");
  if (folder == "-") throw usage_error("-o: name a folder for the dumps, or give --gram-only");
  simigrad::GradientLaw gradient{a.law, a.signal == SignalShape::uniform, a.params.value_or(a.law.d_eff),
                                 a.tensors};
  if (gradient.tensors > gradient.params)
    throw usage_error("--tensors: {} tensors of {} elements together", gradient.tensors, gradient.params);
  const uint64_t seed = context.shared().seed;
  records::Writer writer = open_stream(context);
  records::End end;
  for (uint64_t at = 0; at < a.law.steps * a.law.groups; ++at) {
    if (context.stop()) {
      end.interrupted = true;
      break;
    }
    const uint64_t step = at / a.law.groups, group = at % a.law.groups;
    const simigrad::WrittenDump written =
        simigrad::write_dump(gradient, seed, step, group, a.dtype, a.format, folder);
    records::Dump record;
    record.step = step;
    record.path = written.path;
    record.group = group;
    record.samples = a.law.samples;
    record.tensors = gradient.tensors;
    record.params = gradient.params;
    record.size_bytes = written.size_bytes;
    record.dtype = dtype_name(a.dtype);
    writer.write(record);
  }
  writer.end(end);
  return ExitKind::done;
}

ExitKind gen(GenArguments& a, Context& context) {
  check(a);
  return a.gram_only ? gen_grams(a, context) : gen_dumps(a, context);
}

}  // namespace

cli::Command gen_command() {
  const auto arguments = std::make_shared<GenArguments>();
  GenArguments& a = *arguments;
  cli::Command command;
  command.name = "gen";
  command.summary = "Gradients with a known noise scale, for trials and tests.";
  command.description =
      "Writes Gaussian gradients around a gradient of norm 1 into files -o FOLDER/step{step}/group{group}, "
      "with a dump "
      "record for each: the same bytes on every machine, whatever their size. With --gram-only it writes "
      "gram records "
      "instead, drawn by their exact joint law without the gradients themselves.";
  command.shared = {Shared::output, Shared::seed, Shared::no_provenance};
  command.add(
      "Gradients",
      {cli::flag("gram-only", "Write gram records in place of files.", a.gram_only),
       cli::value_option("steps", "N", "Steps.", a.law.steps, cli::above_zero(parse_count))
           .shown_default("100"),
       cli::value_option("groups", "K", "Groups a step, 2 to 32.", a.law.groups, cli::above_zero(parse_count))
           .shown_default("2"),
       cli::value_option("samples", "N", "Samples of a group.", a.law.samples, cli::above_zero(parse_count))
           .shown_default("64"),
       cli::value_option("b-simple", "S", "Noise scale at the first step, in samples.", a.law.b_simple,
                         cli::above_zero(parse_double))
           .shown_default("1000"),
       cli::value_option("growth", "G", "Noise scale at the last step over that at the first.", a.law.growth,
                         cli::above_zero(parse_double))
           .shown_default("1"),
       cli::value_option("d-eff", "D", "Coordinates that have noise: its effective dimension.", a.law.d_eff,
                         cli::above_zero(parse_count))
           .shown_default("200"),
       cli::value_option("params", "P", "Coordinates in all.", a.params, cli::above_zero(parse_count))
           .shown_default("--d-eff"),
       cli::choice_option("signal", "SHAPE",
                          "The true gradient: along the first coordinate, or alike in all.", a.signal,
                          {{"e1", SignalShape::e1}, {"uniform", SignalShape::uniform}})});
  using tensorfile::Dtype;
  command.add("Files",
              {cli::value_option("tensors", "T", "Tensors that a gradient is cut into.", a.tensors,
                                 cli::above_zero(parse_count))
                   .shown_default("1"),
               cli::choice_option(
                   "dtype", "TYPE", "Element type.", a.dtype,
                   {{"f32", Dtype::f32}, {"bf16", Dtype::bf16}, {"f16", Dtype::f16}, {"f64", Dtype::f64}}),
               cli::choice_option("format", "FORMAT", "Kind of file; an npy file has one tensor.", a.format,
                                  {{"safetensors", simigrad::DumpFormat::safetensors},
                                   {"npy", simigrad::DumpFormat::npy}})});
  command.examples = {
      {"mlq-simigrad gen --params 100k --steps 3 -o grads", "six files of gradients"},
      {"mlq-simigrad gen --gram-only --b-simple 8192 --steps 400 | mlq-simigrad estimate",
       "is it found again?"},
      {"mlq-simigrad gen --gram-only --growth 25 --groups 8 | mlq-simigrad schedule --target 0.8",
       "a schedule for noise that grows"},
      {"mlq-simigrad gen --gram-only --seed 7 --samples 16", "another draw, of small groups"},
  };
  command.run = [arguments](Context& context) { return gen(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
