// mlq-quant chain: a folder of checkpoints and the patches between them.
#include "lib/patch/chain_work.h"

#include <filesystem>

#include "lib/base/units.h"
#include "lib/cli/table.h"
#include "lib/records/quant_schema.h"
#include "tools/mlq-quant/patches.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

// By then patches of 1 % have cost as much as the model, which is what has to be read for the next step.
constexpr uint64_t kAnchorEvery = 100;

struct ChainArguments {
  std::string folder, add, codec = "auto";
  std::optional<uint64_t> step, anchor_every, drop_before;
  bool anchor = false, verify = false;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};

records::ChainLink link_record(const patch::Link& link) {
  records::ChainLink record;
  record.step = link.step;
  record.kind = link.is_anchor ? "anchor" : "delta";
  record.file = link.file;
  record.size_bytes = link.size_bytes;
  if (link.parent) record.parent_hash = quant::hash_text(*link.parent);
  record.result_hash = quant::hash_text(link.result);
  return record;
}

void print(Context& context, const patch::Chain& chain) {
  if (!context.wants_summary()) return;
  uint64_t anchors = 0, anchor_bytes = 0, patch_bytes = 0;
  for (const patch::Link& link : chain.links()) {
    anchors += link.is_anchor ? 1 : 0;
    (link.is_anchor ? anchor_bytes : patch_bytes) += link.size_bytes;
  }
  if (chain.links().empty()) return context.print(fmt::format("{}: empty\n", chain.folder()));
  context.print(fmt::format("{}: steps {} to {}; {} anchors, {} MB; {} patches, {} MB\n", chain.folder(),
                            chain.links().front().step, chain.links().back().step, anchors,
                            cli::rounded(static_cast<double>(anchor_bytes) / 1e6),
                            chain.links().size() - anchors,
                            cli::rounded(static_cast<double>(patch_bytes) / 1e6)));
}

void list(const ChainArguments& a, Context& context) {
  const patch::Chain chain = patch::Chain::open(a.folder);
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  for (const patch::Link& link : chain.links()) stream.link(link_record(link));
  stream.end(false);
  print(context, chain);
}

ExitKind verify(const ChainArguments& a, Context& context) {
  const patch::Chain chain = patch::Chain::open(a.folder);
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  bool good = true;
  const bool complete = patch::verify_chain(
      chain, resources(context, a.memory_bytes, 0), [&](const patch::VerifiedLink& verified) {
        records::ChainLink record = link_record(*verified.link);
        record.ok = verified.wrong.empty();
        if (!verified.wrong.empty()) {
          record.note = verified.wrong;
          good = false;
          context.warn(fmt::format("{}: step {}: {}", a.folder, verified.link->step, verified.wrong));
        }
        stream.link(record);
      });
  stream.end(!complete);
  if (complete) print(context, chain);
  return good ? ExitKind::done : ExitKind::answer_no;
}

uint64_t next_step(const ChainArguments& a, const patch::Chain& chain, const std::optional<uint64_t>& said) {
  if (a.step) return *a.step;
  if (said) return *said;
  return chain.next_step();
}

void add(const ChainArguments& a, Context& context) {
  tensorfile::Source source = open_weights(context, a.add, false);
  patch::Chain chain = patch::Chain::open_to_add(a.folder);
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  patch::AddOptions options;
  options.anchor = a.anchor;
  options.anchor_every = a.anchor_every.value_or(kAnchorEvery);
  options.codec = parse_codec(a.codec);
  options.resources = resources(context, a.memory_bytes, total_bytes(source));
  patch::AddReport report;
  if (patch::is_patch(source.shard(0).metadata)) {
    if (a.codec != "auto")
      throw usage_error("--codec: {} is a patch, which is added as it is; leave it out", a.add);
    const patch::PatchFile patch(std::move(source));
    options.step = next_step(a, chain, patch.step());
    report = patch::add_patch(chain, patch, options);
  } else {
    options.step = next_step(a, chain, {});
    report = patch::add_model(chain, patch::SourceModel(source), options,
                              [&](const patch::TensorDiff& tensor) { stream.delta(record_of(tensor)); });
  }
  for (const patch::Link& link : report.links) stream.link(link_record(link));
  stream.end(report.interrupted);
  print(context, chain);
}

void drop(const ChainArguments& a, Context& context) {
  patch::Chain chain = patch::Chain::open_to_change(a.folder);
  const size_t dropped = chain.drop_before(*a.drop_before);
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  for (const patch::Link& link : chain.links()) stream.link(link_record(link));
  stream.end(false);
  if (dropped == 0) context.note(fmt::format("{}: step {} needs all of it", a.folder, *a.drop_before));
  print(context, chain);
}

ExitKind chain(const ChainArguments& a, Context& context) {
  if (static_cast<int>(!a.add.empty()) + static_cast<int>(a.verify) +
          static_cast<int>(a.drop_before.has_value()) >
      1)
    throw usage_error("--add, --verify, --drop-before: one at a time");
  if (a.add.empty() && (a.step || a.anchor || a.anchor_every || a.codec != "auto"))
    throw usage_error("--step, --anchor, --anchor-every, --codec: without --add there is nothing to add");
  std::error_code none;
  if (std::filesystem::equivalent(std::filesystem::path(a.folder) / "chain.jsonl", context.shared().output,
                                  none))
    throw usage_error("-o: {} is of the chain", context.shared().output);
  if (a.verify) return verify(a, context);
  if (!a.add.empty())
    add(a, context);
  else if (a.drop_before)
    drop(a, context);
  else
    list(a, context);
  return ExitKind::done;
}

}  // namespace

cli::Command chain_command() {
  const auto arguments = std::make_shared<ChainArguments>();
  ChainArguments& a = *arguments;
  cli::Command command;
  command.name = "chain";
  command.summary = "Keep checkpoints as a chain of patches.";
  command.description =
      "A chain is a folder with whole models (anchors), patches, and chain.jsonl: a link record for each, in "
      "the order "
      "of their steps. --add puts a checkpoint into it, as a patch from the last one; a patch that is ready "
      "made, with "
      "or without loss, as it is. apply makes the model of any step. The list is append-only and a file is "
      "there before "
      "its link, so that who follows a chain can read on while it grows. Without an option the links are "
      "listed.";
  command.shared = {Shared::output, Shared::threads, Shared::no_provenance};
  command.positionals = {
      cli::text_positional("DIR", cli::Positional::Arity::required, "Folder of the chain.", a.folder)};
  command.positionals.back().complete = cli::Complete::directory;
  command.add("Add",
              {cli::text("add", "FILE", "Checkpoint or patch to add.", a.add).file(),
               cli::value_option("step", "N", "Its step.", a.step, parse_count)
                   .shown_default("that of the patch, or one more than the last"),
               cli::flag("anchor", "Add the whole model too.", a.anchor),
               cli::value_option("anchor-every", "K", "Do so once K patches have followed the last anchor.",
                                 a.anchor_every, cli::above_zero(parse_count))
                   .shown_default(fmt::format("{}", kAnchorEvery)),
               codec_option(a.codec)});
  command.add("Upkeep", {cli::flag("verify", "Read all of it and hold it against its hashes.", a.verify),
                         cli::value_option("drop-before", "N",
                                           "Remove what no model at step N or later needs: all before the "
                                           "nearest anchor at or before the first of them.",
                                           a.drop_before, parse_count),
                         memory_option(a.memory_bytes)});
  command.examples = {
      {"mlq-quant chain run1 --add step103.safetensors --step 103 --anchor-every 50",
       "put a checkpoint into the chain"},
      {"mlq-quant chain run1 --verify --summary", "is all of it whole? exit status 1 if not"},
      {"mlq-quant apply run1 --to 101 -o step101.safetensors", "the model of a step"},
  };
  command.run = [arguments](Context& context) { return chain(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
