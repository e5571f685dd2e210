// mlq-simigrad gen: gradients whose noise scale is known.
#include <cmath>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/synth/gram_law.h"
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
};

void check(GenArguments& a) {
  if (!a.gram_only) throw usage_error("--gram-only is missing: gradients themselves are not written yet");
  if (a.law.groups < 2 || a.law.groups > 32)
    throw usage_error("--groups: {} must be from 2 to 32", a.law.groups);
  const uint64_t params = a.params.value_or(a.law.d_eff);
  if (params < a.law.d_eff)
    throw usage_error("--params: {} is below --d-eff {}; the noise needs as many coordinates", params,
                      a.law.d_eff);
  if (a.signal == SignalShape::uniform)
    a.law.alignment = std::sqrt(static_cast<double>(a.law.d_eff) / static_cast<double>(params));
}

ExitKind gen(GenArguments& a, Context& context) {
  check(a);
  records::Writer writer = cli::open_writer(context);
  records::Run run = run_record(context, nullptr);
  run.seed = context.shared().seed;
  writer.run(run);
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

}  // namespace

cli::Command gen_command() {
  const auto arguments = std::make_shared<GenArguments>();
  GenArguments& a = *arguments;
  cli::Command command;
  command.name = "gen";
  command.summary = "Gradients with a known noise scale, for trials and tests.";
  command.description =
      "Gaussian gradients around a gradient of norm 1: with --gram-only their gram records, drawn by their "
      "exact joint "
      "law without the gradients themselves.";
  command.shared = {Shared::output, Shared::seed, Shared::no_provenance};
  command.add(
      "Gradients",
      {cli::flag("gram-only", "Write gram records.", a.gram_only),
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
  command.examples = {
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
