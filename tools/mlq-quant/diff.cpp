// mlq-quant diff: a patch from one model to the next.
#include "tools/mlq-quant/patches.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct DiffArguments {
  std::string base, next;
  PatchArguments patch;
};

ExitKind diff(DiffArguments& a, Context& context) {
  if (a.patch.out.empty()) throw usage_error("-o is missing; where is the patch to go?");
  if (a.base == "-" && a.next == "-") throw usage_error("NEW: standard input is read already");
  const auto begin = std::chrono::steady_clock::now();
  const tensorfile::Source base = open_model(context, a.base, false);
  const tensorfile::Source next = open_model(context, a.next, false);
  check_output(a.patch.out, base, false);
  check_output(a.patch.out, next, false);
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
      "Writes what leads from BASE to NEW, without loss: apply rebuilds NEW's files byte for byte. Tensors "
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
  command.examples = {
      {"mlq-quant diff step100.safetensors step101.safetensors -o d101.mlqd", "what changed in one step"},
      {"mlq-quant diff step100.safetensors step101.safetensors -o d101.mlqd --step 101 | jq "
       "'select(.type==\"delta\") | [.name, .changed_share]'",
       "and in which tensors"},
      {"mlq-quant diff step100.safetensors step101.safetensors -o - --records diff.jsonl | sha256sum",
       "nothing but a hash"},
  };
  command.run = [arguments](Context& context) { return diff(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
