// mlq-quant inspect: what is in a file of weights.
#include <cmath>
#include <memory>
#include <set>

#include "kernels/sums.h"
#include "lib/cli/table.h"
#include "lib/quant/pieces.h"
#include "lib/quant/stored_model.h"
#include "lib/quant/value_stats.h"
#include "lib/records/quant_schema.h"
#include "tools/mlq-quant/patches.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct InspectArguments {
  std::vector<std::string> files;
  bool stats = false;
  bool bf16_npy = false;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};

records::Tensor plain_record(const tensorfile::Source& source, const tensorfile::TensorInfo& info) {
  records::Tensor record;
  record.name = info.name;
  record.file = source.shard(info.shard).file;
  record.shape = info.shape;
  record.dtype = tensorfile::dtype_name(info.dtype);
  record.elems = info.elems;
  record.size_bytes = info.size_bytes;
  return record;
}

records::Tensor inspected_record(const tensorfile::Source& source, const quant::StoredTensor& tensor) {
  const quant::TensorMeta& meta = tensor.meta;
  std::string file;
  for (const auto& plane : tensor.planes)
    if (plane && file.empty()) file = source.shard(source.tensors()[*plane].shard).file;
  records::Tensor record = stored_record(tensor, file);
  record.hash_source = meta.hash_source;
  record.hash_decoded = meta.hash_decoded;
  if (meta.coding.spec.format == quant::Format::raw) return record;
  record.rmse = meta.rmse;
  record.rel_rmse = meta.rel_rmse;
  record.max_abs_err = meta.max_abs_err;
  if (meta.rel_rmse > 0) record.snr_db = 2 * quant::snr_db_of(1, meta.rel_rmse);
  if (meta.coding.spec.format == quant::Format::ec) record.escapes = meta.escapes;
  return record;
}

bool is_ours(const tensorfile::Source& source) {
  for (size_t shard = 0; shard < source.shards(); ++shard) {
    const auto& metadata = source.shard(shard).metadata;
    if (metadata.contains(quant::kVersionKey)) return true;
  }
  return false;
}

records::TensorStat stat_record(const tensorfile::TensorInfo& info, const quant::ValueStats& s) {
  records::TensorStat record;
  record.name = info.name;
  record.elems = info.elems;
  record.mean = s.mean;
  record.std = s.std;
  record.kurtosis = s.kurtosis;
  record.min = s.min;
  record.max = s.max;
  record.absmax_over_rms = s.absmax_over_rms;
  record.nan = s.nan;
  record.inf = s.inf;
  record.zero = s.zero;
  record.subnormal = s.subnormal;
  record.exponent_entropy_bits = s.exponent_entropy_bits;
  return record;
}

void print(Context& context, const std::vector<records::Tensor>& tensors) {
  cli::Table table({{"tensor", cli::Align::left},
                    {"dtype", cli::Align::left},
                    {"shape", cli::Align::left},
                    {"bytes"},
                    {"format", cli::Align::left},
                    {"bits"}});
  for (const records::Tensor& t : tensors)
    table.add({t.name, t.dtype, fmt::format("{}", fmt::join(t.shape, "x")),
               cli::grouped(t.out_bytes.value_or(t.size_bytes)), t.format.value_or("-"),
               t.bits_per_weight ? fmt::format("{:.3f}", *t.bits_per_weight) : "-"});
  context.print(table.text());
}

// False if it was interrupted.
bool inspect_one(const InspectArguments& a, Context& context, const std::string& path, RecordStream& stream,
                 std::vector<records::Tensor>& shown) {
  tensorfile::Source source = open_weights(context, path, a.bf16_npy);
  if (patch::is_patch(source.shard(0).metadata)) {
    describe(patch::PatchFile(std::move(source)), stream);
    return true;
  }
  if (is_ours(source)) {
    const quant::StoredModel stored(source);
    for (const quant::StoredTensor& tensor : stored.tensors())
      shown.push_back(inspected_record(source, tensor));
  } else {
    for (const auto& info : source.tensors()) shown.push_back(plain_record(source, info));
  }
  for (const records::Tensor& record : shown) stream.tensor(record);
  if (!a.stats) return true;
  const bool complete =
      quant::value_stats(source, resources(context, a.memory_bytes, total_bytes(source)),
                         [&](const tensorfile::TensorInfo& info, const quant::ValueStats& stats) {
                           stream.stats(stat_record(info, stats));
                         });
  source.check_unchanged();
  return complete;
}

ExitKind inspect(InspectArguments& a, Context& context) {
  RecordStream stream(context, {}, context.shared().output);
  stream.run();
  bool complete = true;
  for (const std::string& file : a.files) {
    std::vector<records::Tensor> shown;
    complete = complete && inspect_one(a, context, file, stream, shown);
    if (context.wants_summary()) print(context, shown);
  }
  stream.end(!complete);
  return ExitKind::done;
}

}  // namespace

cli::Command inspect_command() {
  const auto arguments = std::make_shared<InspectArguments>();
  InspectArguments& a = *arguments;
  cli::Command command;
  command.name = "inspect";
  command.summary = "Say what is in a file of weights.";
  command.description =
      "Writes a tensor record for each tensor, by the headers alone; of what encode wrote, a record for each "
      "tensor that it "
      "holds, with format and error; of a patch a delta record for each tensor that it changes, and a patch "
      "record. With --stats it reads the data and writes a stats record for each float "
      "tensor too.";
  command.shared = {Shared::output, Shared::threads, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("FILE", cli::Positional::Arity::one_or_more,
                           "Weights: a file, an index.json, a folder, or - for standard input.", a.files)};
  command.add("Inspect",
              {cli::flag("stats", "Read the data: moments, extremes, NaN, infinities, exponents.", a.stats),
               cli::flag("npy-bf16", "Two-byte elements of an .npy file are bfloat16.", a.bf16_npy),
               memory_option(a.memory_bytes)});
  command.examples = {
      {"mlq-quant inspect model.safetensors --summary", "a table of its tensors"},
      {"mlq-quant inspect model.safetensors --stats | jq 'select(.type==\"stats\" and .kurtosis > 10).name'",
       "tensors with heavy tails"},
      {"mlq-quant inspect model.mlq.safetensors | jq -s 'map(select(.snr_db)) | min_by(.snr_db).name'",
       "the tensor with the largest error"},
  };
  command.run = [arguments](Context& context) { return inspect(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
