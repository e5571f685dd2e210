// mlq-quant apply: what patches make of a model.
#include "lib/patch/apply.h"

#include "lib/cli/table.h"
#include "tools/mlq-quant/patches.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct ApplyArguments {
  std::string base, out, records;
  std::vector<std::string> patches;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};

void print(Context& context, const patch::AppliedReport& report, size_t patches,
           std::chrono::steady_clock::time_point begin) {
  if (!context.wants_summary()) return;
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  const double megabytes = static_cast<double>(report.tensor_bytes) / 1e6;
  context.print(fmt::format("{} tensors, {} MB, by {} patches at {} MB/s\n", report.tensors,
                            cli::rounded(megabytes), patches, cli::rounded(megabytes / time.count())));
}

ExitKind apply(ApplyArguments& a, Context& context) {
  if (a.out.empty()) throw usage_error("-o is missing; where is the model to go?");
  if (a.patches.empty()) throw usage_error("D is missing; which patches are to be applied?");
  const auto begin = std::chrono::steady_clock::now();
  const tensorfile::Source base = open_model(context, a.base, false);
  const std::vector<patch::PatchFile> patches = open_patches(context, a.patches, a.out);
  const patch::SourceModel from(base);
  RecordStream stream(context, a.out, a.records);
  stream.run();
  const patch::AppliedReport report =
      patch::apply(from, std::nullopt, pointers(patches), a.out,
                   resources(context, a.memory_bytes, patches.back().layout().tensor_bytes()));
  for (const auto& file : report.files)
    stream.shard({file.path, file.tensors, file.size_bytes, quant::hash_text(report.result)});
  stream.end(report.interrupted);
  if (report.interrupted)
    context.note(fmt::format("interrupted; {} is left as it was", a.out));
  else
    print(context, report, patches.size(), begin);
  return ExitKind::done;
}

}  // namespace

cli::Command apply_command() {
  const auto arguments = std::make_shared<ApplyArguments>();
  ApplyArguments& a = *arguments;
  cli::Command command;
  command.name = "apply";
  command.summary = "Make of a model what patches say.";
  command.description =
      "Writes the model that the patches D, one after the other, make of BASE: the files that the last of "
      "them was "
      "made for, byte for byte. Before anything is written the patches are read and held against their own "
      "hashes, "
      "and BASE against the hash of the model that the first patch is for; the hash of what was written is "
      "held "
      "against the last patch's before OUT is replaced. OUT may be BASE itself. Writes a shard record for "
      "each file.";
  command.shared = {Shared::threads, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("BASE", cli::Positional::Arity::required,
                           "The model that the first patch is for: a file, an index.json or a folder.",
                           a.base),
      cli::file_positional("D", cli::Positional::Arity::any_number, "Patches, in their order.", a.patches)};
  command.add(
      "Output",
      {cli::text("output", "OUT",
                 "File to write, or - for standard output; for a model in several files a folder.", a.out)
           .shortened('o')
           .file(),
       records_option(a.records), memory_option(a.memory_bytes)});
  command.examples = {
      {"mlq-quant apply step100.safetensors d101.mlqd -o step101.safetensors", "the next checkpoint"},
      {"mlq-quant apply step100.safetensors d101.mlqd d102.mlqd -o step102.safetensors",
       "the one after that"},
      {"mlq-quant apply model.safetensors d101.mlqd -o model.safetensors", "in its place"},
  };
  command.run = [arguments](Context& context) { return apply(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
