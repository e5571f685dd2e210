#include "tools/mlq-quant/patches.h"

#include <algorithm>
#include <filesystem>

#include "lib/base/units.h"
#include "lib/cli/table.h"
#include "lib/quant/decibel.h"
#include "lib/quant/tree_hash.h"

namespace mlq::tools {
namespace {

double share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

records::Patch record_of(const patch::PatchReport& report, const PatchArguments& a,
                         std::chrono::steady_clock::time_point begin) {
  records::Patch record;
  record.file = a.out;
  record.step = a.options.step;
  record.parent_hash = quant::hash_text(report.parent);
  record.result_hash = quant::hash_text(report.result);
  record.tensors = report.tensors;
  record.changed_tensors = report.changed_tensors;
  record.elems = report.elems;
  if (!a.options.lossy) {
    record.changed = report.changed;
    record.changed_share = share(report.changed, report.words);
  }
  record.in_bytes = report.in_bytes;
  record.out_bytes = report.out_bytes;
  record.ratio = share(report.out_bytes, report.in_bytes);
  record.bits_per_weight = share(8 * report.out_bytes, report.elems);
  if (report.signal > 0) record.rel_rmse = quant::relative_error(report.signal, report.noise);
  record.duration_ns = std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count();
  record.rate_bytes_per_s = static_cast<double>(report.in_bytes) /
                            (static_cast<double>(std::max<int64_t>(*record.duration_ns, 1)) * 1e-9);
  record.peak_rss_bytes = peak_rss_bytes();
  return record;
}

void print(cli::Context& context, const records::Patch& p) {
  if (!context.wants_summary()) return;
  std::string text = fmt::format("{} of {} tensors changed", p.changed_tensors, p.tensors);
  if (p.changed_share) text += fmt::format(", {:.3g} % of all values", 100 * *p.changed_share);
  if (p.rel_rmse) text += fmt::format(", relative error {:.3g}", *p.rel_rmse);
  context.print(text + fmt::format("\n{} MB become {} MB ({:.3g} %) at {} MB/s\n",
                                   cli::rounded(static_cast<double>(p.in_bytes) / 1e6),
                                   cli::rounded(static_cast<double>(p.out_bytes) / 1e6), 100 * p.ratio,
                                   cli::rounded(p.rate_bytes_per_s.value_or(0) / 1e6)));
}

}  // namespace

std::optional<patch::PieceCodec> parse_codec(const std::string& name) {
  for (const patch::PieceCodec codec :
       {patch::PieceCodec::gap, patch::PieceCodec::bitmap, patch::PieceCodec::bit_xor})
    if (patch::name_of(codec) == name) return codec;
  return std::nullopt;
}

records::TensorDelta record_of(const patch::TensorDiff& tensor) {
  records::TensorDelta record;
  record.name = tensor.name;
  record.codec = tensor.codec;
  record.elems = tensor.elems;
  if (tensor.rel_rmse) {
    record.rel_rmse = tensor.rel_rmse;
    record.key_frame = tensor.key_frame;
  } else {
    record.changed = tensor.changed;
    record.changed_share = share(tensor.changed, tensor.words);
  }
  if (tensor.elems > 0) record.bits_per_weight = share(8 * tensor.stored_bytes, tensor.elems);
  record.size_bytes = tensor.stored_bytes;
  return record;
}

cli::Option codec_option(std::string& codec) {
  return cli::text("codec", "NAME", "How changes are stored.", codec)
      .one_of({{"auto", "gap for up to a fifth of the values, else what is smaller"},
               {"gap", "distances between changed values, and by how much they changed"},
               {"bitmap", "a bit for each value, and by how much the changed ones changed"},
               {"xor", "the exclusive or of all values"}})
      .shown_default("auto");
}

std::vector<cli::Option> patch_options(PatchArguments& a) {
  return {cli::text("output", "D", "Patch to write, or - for standard output.", a.out).shortened('o').file(),
          cli::value_option("step", "N", "Step that the new model is of, said in the patch.", a.options.step,
                            parse_count),
          codec_option(a.codec), records_option(a.records), memory_option(a.memory_bytes)};
}

void check_patch_output(const PatchArguments& a) {
  if (a.out.empty()) throw usage_error("-o is missing; where is the patch to go?");
  check_ending(a.out, "-o", ".mlqd");
  std::error_code none;
  if (a.out.ends_with('/') && !std::filesystem::is_directory(a.out, none))
    throw usage_error("-o: {} would be a folder, and a patch is one file; name the file", a.out);
}

std::vector<patch::PatchFile> open_patches(const cli::Context& context, const std::vector<std::string>& paths,
                                           const std::string& out) {
  std::vector<patch::PatchFile> patches;
  std::error_code none;
  for (const std::string& path : paths) {
    if (out != "-" && std::filesystem::equivalent(path, out, none))
      throw usage_error("-o: {} is the input", path);
    patches.emplace_back(open_weights(context, path, false));
  }
  return patches;
}

std::vector<const patch::PatchFile*> pointers(const std::vector<patch::PatchFile>& patches) {
  std::vector<const patch::PatchFile*> list;
  for (const patch::PatchFile& patch : patches) list.push_back(&patch);
  return list;
}

void describe(const patch::PatchFile& patch, RecordStream& stream) {
  const patch::Layout& layout = patch.layout();
  records::Patch record;
  record.file = patch.name();
  record.step = patch.step();
  record.parent_hash = quant::hash_text(patch.parent());
  record.result_hash = quant::hash_text(patch.result());
  record.tensors = layout.tensors.size();
  record.in_bytes = layout.tensor_bytes();
  record.out_bytes = patch.size_bytes();
  record.ratio = share(record.out_bytes, record.in_bytes);
  for (size_t i = 0; i < layout.tensors.size(); ++i) {
    record.elems += layout.tensors[i].elems;
    const patch::PatchFile::Entry* entry = patch.entry(i);
    if (entry == nullptr) continue;
    record.changed_tensors += 1;
    records::TensorDelta tensor;
    tensor.name = layout.tensors[i].name;
    tensor.codec = patch::name_of(entry->change.kind);
    tensor.elems = layout.tensors[i].elems;
    tensor.size_bytes = patch.source().tensors()[entry->stored].size_bytes;
    if (tensor.elems > 0) tensor.bits_per_weight = share(8 * tensor.size_bytes, tensor.elems);
    if (patch::is_lossy(entry->change.kind)) tensor.key_frame = entry->change.kind == patch::ChangeKind::key;
    stream.delta(tensor);
  }
  record.bits_per_weight = share(8 * record.out_bytes, record.elems);
  stream.patch(record);
}

ExitKind make_patch(const patch::Model& base, const patch::Model& next, PatchArguments& a,
                    RecordStream& stream, cli::Context& context,
                    std::chrono::steady_clock::time_point begin) {
  a.options.codec = parse_codec(a.codec);
  a.options.resources = resources(context, a.memory_bytes, next.layout().tensor_bytes());
  const patch::PatchReport report =
      patch::diff(base, next, a.out, a.options,
                  [&](const patch::TensorDiff& tensor) { stream.delta(record_of(tensor)); });
  if (report.interrupted) {
    stream.end(true);
    context.note(fmt::format("interrupted; {} is left as it was", a.out));
    return ExitKind::done;
  }
  const records::Patch record = record_of(report, a, begin);
  stream.patch(record);
  stream.end(false);
  print(context, record);
  return ExitKind::done;
}

}  // namespace mlq::tools
