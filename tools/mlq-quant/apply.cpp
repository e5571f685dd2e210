// mlq-quant apply: what patches make of a model.
#include <filesystem>

#include "lib/base/units.h"
#include "lib/cli/table.h"
#include "lib/patch/chain_work.h"
#include "lib/patch/hashing.h"
#include "tools/mlq-quant/patches.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct ApplyArguments {
  std::string base, out, records;
  std::vector<std::string> patches;
  std::optional<uint64_t> to;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};

void print(Context& context, const patch::AppliedReport& report,
           std::chrono::steady_clock::time_point begin) {
  if (!context.wants_summary()) return;
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  const double megabytes = static_cast<double>(report.tensor_bytes) / 1e6;
  context.print(fmt::format("{} tensors, {} MB, at {} MB/s\n", report.tensors, cli::rounded(megabytes),
                            cli::rounded(megabytes / time.count())));
}

// A usage Error where the result would take the place of a file of the chain.
patch::Chain open_chain(const ApplyArguments& a, const std::string& folder) {
  patch::Chain chain = patch::Chain::open(folder);
  std::error_code none;
  const std::filesystem::path parent =
      std::filesystem::path("." / std::filesystem::path(a.out)).parent_path();
  for (const patch::Link& link : chain.links()) {
    const std::string path = chain.path_of(link);
    if (a.out != "-" && (std::filesystem::equivalent(path, a.out, none) ||
                         (link.is_anchor && std::filesystem::equivalent(path, parent, none))))
      throw usage_error("-o: {} is of the chain", a.out);
  }
  if (std::filesystem::equivalent(std::filesystem::path(folder) / "chain.jsonl", a.out, none))
    throw usage_error("-o: {} is of the chain", a.out);
  if (a.out != "-" && std::filesystem::equivalent(folder, a.out, none))
    throw usage_error("-o: {} is the chain", a.out);
  return chain;
}

uint64_t target_of(const ApplyArguments& a, const patch::Chain& chain) {
  if (a.to) return *a.to;
  if (chain.links().empty()) throw input_error("{}: the chain is empty", chain.folder());
  return chain.links().back().step;
}

patch::AppliedReport apply_files(const ApplyArguments& a, RecordStream& stream, Context& context) {
  const tensorfile::Source base = open_model(context, a.base, false);
  check_replaced_whole(a.out, base, "-o");
  const std::vector<patch::PatchFile> patches = open_patches(context, a.patches, a.out);
  stream.run();
  return patch::apply(patch::SourceModel(base), std::nullopt, pointers(patches), a.out,
                      resources(context, a.memory_bytes, patches.back().layout().tensor_bytes()));
}

// The model of a step, from a chain alone.
patch::AppliedReport apply_chain(const ApplyArguments& a, RecordStream& stream, Context& context) {
  const patch::Chain chain = open_chain(a, a.base);
  const patch::ChainFiles files(chain, chain.path_to(target_of(a, chain)));
  stream.run();
  const quant::Resources with = resources(context, a.memory_bytes, files.model().layout().tensor_bytes());
  // An anchor alone is compared with its link when it has been copied.
  const auto hash = files.patches().empty() ? files.anchor_hash() : std::nullopt;
  return patch::apply(*files.anchor(), hash, files.patches(), a.out, with);
}

// The model of a step, from that of an earlier step and the patches in between.
patch::AppliedReport follow_chain(const ApplyArguments& a, RecordStream& stream, Context& context) {
  const tensorfile::Source source = open_model(context, a.base, false);
  check_replaced_whole(a.out, source, "-o");
  const patch::SourceModel base(source);
  const patch::Chain chain = open_chain(a, a.patches.front());
  const uint64_t step = target_of(a, chain);
  stream.run();
  const quant::Resources with = resources(context, a.memory_bytes, base.layout().tensor_bytes());
  const auto hashes = patch::hash_tensors(base, with);
  if (!hashes) {
    patch::AppliedReport nothing;
    nothing.interrupted = true;
    return nothing;
  }
  const quant::Digest hash = hashes->model.digest();
  const auto path = chain.path_from(hash, step);
  if (!path)
    throw input_error(
        "{}: is {}, from which no patches of {} lead to step {}; apply {} --to {} makes it from an anchor",
        a.base, quant::hash_text(hash), chain.folder(), step, chain.folder(), step);
  const patch::ChainFiles files(chain, *path);
  return patch::apply(base, hash, files.patches(), a.out, with);
}

ExitKind apply(ApplyArguments& a, Context& context) {
  if (a.out.empty()) throw usage_error("-o is missing; where is the model to go?");
  check_ending(a.out);
  const bool chain = patch::Chain::is_chain(a.base);
  const bool follows = a.patches.size() == 1 && patch::Chain::is_chain(a.patches.front());
  if (chain && !a.patches.empty()) throw usage_error("D: {} is a chain; --to says up to which step", a.base);
  if (!chain && a.patches.empty()) throw usage_error("D is missing; which patches are to be applied?");
  if (!chain && !follows && a.to)
    throw usage_error("--to: neither {} nor {} is a chain", a.base, a.patches.front());
  const auto begin = std::chrono::steady_clock::now();
  RecordStream stream(context, a.out, a.records);
  const patch::AppliedReport report = chain     ? apply_chain(a, stream, context)
                                      : follows ? follow_chain(a, stream, context)
                                                : apply_files(a, stream, context);
  for (const auto& file : report.files)
    stream.shard({file.path, file.tensors, file.size_bytes, quant::hash_text(report.result)});
  stream.end(report.interrupted);
  if (report.interrupted)
    context.note(fmt::format("interrupted; {} is left as it was", a.out));
  else
    print(context, report, begin);
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
      "against the last patch's before OUT is replaced. OUT may be BASE itself: a folder then has the files "
      "of "
      "the "
      "new model in the place of the old one's, at once, and whatever else was in it. Writes a shard record "
      "for "
      "each file.";
  command.shared = {Shared::threads, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("BASE", cli::Positional::Arity::required,
                           "The model that the first patch is for: a file, an index.json or a folder.",
                           a.base),
      cli::file_positional("D", cli::Positional::Arity::any_number, "Patches, in their order; or a chain.",
                           a.patches)};
  command.add(
      "Output",
      {cli::text("output", "OUT",
                 "File to write, or - for standard output; for a model in several files a folder.", a.out)
           .shortened('o')
           .file(),
       cli::value_option("to", "STEP", "Of a chain: the step whose model is wanted.", a.to, parse_count)
           .shown_default("the last"),
       records_option(a.records), memory_option(a.memory_bytes)});
  command.examples = {
      {"mlq-quant apply step100.safetensors d101.mlqd -o step101.safetensors", "the next checkpoint"},
      {"mlq-quant apply step100.safetensors d101.mlqd d102.mlqd -o step102.safetensors",
       "the one after that"},
      {"mlq-quant apply run1 --to 102 -o step102.safetensors", "of a chain of checkpoints"},
      {"mlq-quant apply model.safetensors run1 -o model.safetensors",
       "keep a copy up to date with a chain, in its place"},
  };
  command.run = [arguments](Context& context) { return apply(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
