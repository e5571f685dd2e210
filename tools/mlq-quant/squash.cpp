// mlq-quant squash: one patch for several.
#include "lib/patch/apply.h"
#include "tools/mlq-quant/patches.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct SquashArguments {
  std::string base;
  std::vector<std::string> patches;
  PatchArguments patch;
};

ExitKind squash(SquashArguments& a, Context& context) {
  check_patch_output(a.patch);
  if (a.base.empty()) throw usage_error("--base is missing; what is the first patch for?");
  const auto begin = std::chrono::steady_clock::now();
  const tensorfile::Source base = open_model(context, a.base, false);
  check_output(a.patch.out, base, false);
  const std::vector<patch::PatchFile> patches = open_patches(context, a.patches, a.patch.out);
  const patch::SourceModel from(base);
  RecordStream stream(context, a.patch.out, a.patch.records);
  stream.run();
  if (!a.patch.options.step) a.patch.options.step = patches.back().step();
  const auto to = patch::checked_model(from, std::nullopt, pointers(patches),
                                       resources(context, a.patch.memory_bytes, 0));
  if (to) return make_patch(from, *to, a.patch, stream, context, begin);
  stream.end(true);
  return ExitKind::done;
}

}  // namespace

cli::Command squash_command() {
  const auto arguments = std::make_shared<SquashArguments>();
  SquashArguments& a = *arguments;
  cli::Command command;
  command.name = "squash";
  command.summary = "Make one patch of several that follow each other.";
  command.description =
      "Writes the patch that leads from BASE to what the patches D, one after the other, make of it. No "
      "model is "
      "written on the way. Whoever has BASE needs this patch alone.";
  command.shared = {Shared::threads, Shared::no_provenance};
  command.positionals = {cli::file_positional("D", cli::Positional::Arity::one_or_more,
                                              "Patches in their order, the first for BASE.", a.patches)};
  command.add("Input", {cli::text("base", "BASE", "The model that the first patch is for.", a.base).file()});
  command.add("Output", patch_options(a.patch));
  command.examples = {
      {"mlq-quant squash --base step100.safetensors d101.mlqd d102.mlqd -o d100-102.mlqd",
       "two steps in one"},
      {"mlq-quant squash --base step100.safetensors d101.mlqd d102.mlqd -o d100-102.mlqd --summary",
       "how much smaller than both?"},
  };
  command.run = [arguments](Context& context) { return squash(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
