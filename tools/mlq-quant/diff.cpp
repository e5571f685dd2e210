// mlq-quant diff: a patch from one model to the next.
#include <filesystem>

#include "lib/base/units.h"
#include "lib/quant/format.h"
#include "tools/mlq-quant/patches.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct DiffArguments {
  std::string base, next, next_base;
  PatchArguments patch;
  std::optional<unsigned> bits;
  std::optional<uint64_t> block, min_elems;
  std::optional<kernels::Grid> grid;
  std::optional<quant::Float> state;
  std::optional<quant::Format> key;
  std::optional<double> rekey_above;
  std::optional<bool> pack;
  bool key_frame = false;
};

// A usage Error for options of a loss where there is none.
void refuse_loss(const DiffArguments& a) {
  if (!a.next_base.empty())
    throw usage_error("--next-base: without --bits nothing is lost, and NEW is the next base");
  const std::pair<std::string_view, bool> options[] = {{"--block", a.block.has_value()},
                                                       {"--grid", a.grid.has_value()},
                                                       {"--state-dtype", a.state.has_value()},
                                                       {"--key", a.key.has_value()},
                                                       {"--key-frame", a.key_frame},
                                                       {"--rekey-above", a.rekey_above.has_value()},
                                                       {"--min-elems", a.min_elems.has_value()},
                                                       {"--zstd", a.pack.has_value()}};
  for (const auto& [name, given] : options)
    if (given)
      throw usage_error("{}: without --bits nothing is lost; add --bits and --next-base, or leave it out",
                        name);
}

patch::LossyOptions lossy_options(const DiffArguments& a) {
  if (a.next_base.empty())
    throw usage_error(
        "--next-base is missing; where is what receivers will have to go? It is the BASE of the next diff");
  if (a.next_base == "-") throw usage_error("--next-base: standard output takes the records; name a file");
  check_ending(a.next_base, "--next-base");
  patch::LossyOptions lossy;
  lossy.next_base = a.next_base;
  lossy.spec.code.bits = *a.bits;
  lossy.spec.code.grid = a.grid.value_or(kernels::Grid::sign);
  lossy.spec.block = a.block.value_or(lossy.spec.block);
  const quant::Format format = a.key.value_or(quant::Format::int8);
  const quant::Spec key = quant::default_spec(format);
  lossy.key.code = {quant::format_info(format).code_bits, key.grid, key.scale, false};
  lossy.key.block = lossy.spec.block;
  lossy.key_frame = a.key_frame;
  lossy.pack = a.pack.value_or(lossy.pack);
  lossy.state = a.state;
  lossy.min_elems = a.min_elems.value_or(lossy.min_elems);
  lossy.rekey_above = a.rekey_above.value_or(lossy.rekey_above);
  return lossy;
}

void check_outputs(const DiffArguments& a, const tensorfile::Source& base, const tensorfile::Source& next) {
  check_output(a.patch.out, base, false);
  check_output(a.patch.out, next, false);
  if (!a.bits) return;
  check_output(a.next_base, next, false, "--next-base");
  check_replaced_whole(a.next_base, base, "--next-base");
  std::error_code none;
  const auto place = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path), none);
  };
  if (place(a.next_base) == place(a.patch.out))
    throw usage_error("--next-base: {} is where the patch goes; name another file", a.next_base);
}

ExitKind diff(DiffArguments& a, Context& context) {
  check_patch_output(a.patch);
  if (a.bits)
    a.patch.options.lossy = lossy_options(a);
  else
    refuse_loss(a);
  if (a.base == "-" && a.next == "-") throw usage_error("NEW: standard input is read already");
  const auto begin = std::chrono::steady_clock::now();
  const tensorfile::Source base = open_model(context, a.base, false);
  const tensorfile::Source next = open_model(context, a.next, false);
  check_outputs(a, base, next);
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
                 a.next_base)
           .file(),
       cli::value_option("block", "N", "Differences with one scale: a power of two from 16 to 16384.",
                         a.block, parse_count)
           .shown_default("64"),
       cli::value_option("grid", "NAME", "How the scale of a block is chosen.", a.grid, quant::parse_grid)
           .one_of({{"absmax", "the largest magnitude is the largest code"},
                    {"signed", "the extreme value is the smallest code"},
                    {"mse", "the least squared error of 32 scales"}})
           .shown_default("signed"),
       cli::value_option("state-dtype", "TYPE", "Type of what receivers have.", a.state, quant::parse_float)
           .one_of({"bf16", "f16", "f32"})
           .shown_default("that of each tensor"),
       cli::value_option("key", "FORMAT", "Format of key frames, which need no base.", a.key,
                         quant::parse_format)
           .one_of({"int8", "int4", "int3", "int2"})
           .shown_default("int8"),
       cli::flag("key-frame", "Make this one a key frame.", a.key_frame),
       cli::value_option("rekey-above", "R",
                         "A tensor whose relative error would be larger becomes a key frame.", a.rekey_above,
                         cli::above_zero(parse_double))
           .shown_default("0.02"),
       cli::value_option("zstd", "HOW", "Whether codes and scales are compressed.", a.pack,
                         [](std::string_view text) { return text == "auto"; })
           .one_of({{"auto", "where that makes a tensor smaller"}, {"off", "not: as fast as can be"}})
           .shown_default("auto"),
       cli::value_option("min-elems", "N", "Smaller tensors go without loss.", a.min_elems, parse_count)
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
