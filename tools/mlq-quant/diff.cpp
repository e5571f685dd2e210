// mlq-quant diff: a patch from one model to the next.
#include "lib/base/units.h"
#include "lib/quant/format.h"
#include "tools/mlq-quant/patches.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct DiffArguments {
  std::string base, next;
  PatchArguments patch;
  std::optional<unsigned> bits;
  std::optional<kernels::Grid> grid;
  quant::Format key = quant::Format::int8;
  patch::LossyOptions lossy;
};

// A usage Error where options of a loss stand without one, or one lacks where its result goes.
void settle(DiffArguments& a) {
  if (!a.bits) {
    if (!a.lossy.next_base.empty())
      throw usage_error("--next-base: without --bits nothing is lost, and NEW is the next base");
    return;
  }
  patch::LossyOptions& lossy = a.lossy;
  if (lossy.next_base.empty())
    throw usage_error(
        "--next-base is missing; where is what receivers will have to go? It is the BASE of the next diff");
  lossy.spec.code.bits = *a.bits;
  lossy.spec.code.grid = a.grid.value_or(kernels::Grid::sign);
  const quant::Spec key = quant::default_spec(a.key);
  lossy.key.code = {quant::format_info(a.key).code_bits, key.grid, key.scale, false};
  lossy.key.block = lossy.spec.block;
  a.patch.options.lossy = lossy;
}

ExitKind diff(DiffArguments& a, Context& context) {
  if (a.patch.out.empty()) throw usage_error("-o is missing; where is the patch to go?");
  settle(a);
  if (a.base == "-" && a.next == "-") throw usage_error("NEW: standard input is read already");
  const auto begin = std::chrono::steady_clock::now();
  const tensorfile::Source base = open_model(context, a.base, false);
  const tensorfile::Source next = open_model(context, a.next, false);
  check_output(a.patch.out, base, false);
  check_output(a.patch.out, next, false);
  if (a.bits) check_output(a.lossy.next_base, next, false);
  const patch::SourceModel from(base), to(next);
  RecordStream stream(context, a.patch.out, a.patch.records);
  stream.run();
  return make_patch(from, to, a.patch, stream, context, begin);
}

}  // namespace

cli::Command diff_command() {
  const auto arguments = std::make_shared<DiffArguments>();
  DiffArguments& a = *arguments;
  cli::Command command;
  command.name = "diff";
  command.summary = "Make a patch from one checkpoint to the next.";
  command.description =
      "Writes what leads from BASE to NEW: apply rebuilds NEW's files byte for byte. Tensors "
      "that did "
      "not change cost nothing; of the others it is stored which values changed, and by how many steps of "
      "their own "
      "type. The patch names both models by their hashes. Writes a delta record for each tensor and a patch "
      "record.";
  command.shared = {Shared::threads, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("BASE", cli::Positional::Arity::required,
                           "The model that receivers have: a file of safetensors, an index.json or a folder.",
                           a.base),
      cli::file_positional("NEW", cli::Positional::Arity::required, "The model that they are to have.",
                           a.next)};
  command.add("Output", patch_options(a.patch));
  command.add(
      "Loss",
      {cli::value_option("bits", "B", "Code differences in so many bits: 2, 3, 4 or 8.", a.bits, parse_count)
           .suggest({"4", "2", "3", "8"})
           .shown_default("no loss"),
       cli::text("next-base", "F", "Where what receivers will have goes: the BASE of the next diff.",
                 a.lossy.next_base)
           .file(),
       cli::value_option("block", "N", "Differences with one scale: a power of two from 16 to 16384.",
                         a.lossy.spec.block, parse_count)
           .shown_default("64"),
       cli::value_option("grid", "NAME", "How the scale of a block is chosen.", a.grid, quant::parse_grid)
           .one_of({{"absmax", "the largest magnitude is the largest code"},
                    {"signed", "the extreme value is the smallest code"},
                    {"mse", "the least squared error of 32 scales"}})
           .shown_default("signed"),
       cli::value_option("state-dtype", "TYPE", "Type of what receivers have.", a.lossy.state,
                         quant::parse_float)
           .one_of({"bf16", "f16", "f32"})
           .shown_default("that of each tensor"),
       cli::value_option("key", "FORMAT", "Format of key frames, which need no base.", a.key,
                         quant::parse_format)
           .one_of({"int8", "int4", "int3", "int2"})
           .shown_default("int8"),
       cli::flag("key-frame", "Make this one a key frame.", a.lossy.key_frame),
       cli::value_option("rekey-above", "R",
                         "A tensor whose relative error would be larger becomes a key frame.",
                         a.lossy.rekey_above, cli::above_zero(parse_double))
           .shown_default("0.02"),
       cli::value_option("min-elems", "N", "Smaller tensors go without loss.", a.lossy.min_elems, parse_count)
           .shown_default("4096")});
  command.examples = {
      {"mlq-quant diff step100.safetensors step101.safetensors -o d101.mlqd", "what changed in one step"},
      {"mlq-quant diff step100.safetensors step101.safetensors -o d101.mlqd --step 101 | jq "
       "'select(.type==\"delta\") | [.name, .changed_share]'",
       "and in which tensors"},
      {"mlq-quant diff held100.safetensors step101.safetensors --bits 4 --next-base held101.safetensors -o "
       "d101.mlqd",
       "with loss, in 4 bits: receivers go from held100 to held101"},
  };
  command.run = [arguments](Context& context) { return diff(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
