// mlq-quant decode: back to floats.
#include <memory>

#include "lib/base/units.h"
#include "lib/quant/decode.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct DecodeArguments {
  std::string in, out, records;
  quant::DecodeOptions options;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};

records::Tensor record_of(const quant::DecodedTensor& t) {
  records::Tensor record = stored_record(*t.stored, t.file);
  record.dtype = tensorfile::dtype_name(t.dtype);
  record.size_bytes = t.out_bytes;
  record.out_bytes = t.out_bytes;
  record.saturated = t.saturated;
  record.hash_decoded = t.hash_decoded;
  return record;
}

ExitKind decode(DecodeArguments& a, Context& context) {
  if (a.out.empty()) throw usage_error("-o is missing; where is the result to go?");
  check_ending(a.out);
  const auto begin = std::chrono::steady_clock::now();
  const tensorfile::Source source = open_model(context, a.in, false);
  check_output(a.out, source, a.options.largest_shard > 0);
  const quant::StoredModel stored(source);
  a.options.strict = context.shared().strict;
  a.options.resources = resources(context, a.memory_bytes, total_bytes(source));
  RecordStream stream(context, a.out, a.records);
  stream.run();
  const quant::ModelReport model =
      quant::decode(stored, a.out, a.options,
                    [&](const quant::DecodedTensor& tensor) { stream.tensor(record_of(tensor)); });
  for (const quant::WrittenShard& shard : model.shards)
    stream.shard({shard.file, shard.tensors, shard.size_bytes, std::nullopt});
  records::QuantSummary summary = summary_of(model, begin);
  summary.decoded_hash = model.decoded_hash;
  if (!model.interrupted) stream.summary(summary);
  stream.end(model.interrupted);
  if (model.interrupted)
    context.note(fmt::format("interrupted; {} is left as it was", a.out));
  else
    print_summary(context, summary);
  return ExitKind::done;
}

}  // namespace

cli::Command decode_command() {
  const auto arguments = std::make_shared<DecodeArguments>();
  DecodeArguments& a = *arguments;
  cli::Command command;
  command.name = "decode";
  command.summary = "Turn what encode wrote back into floats.";
  command.description =
      "Reads any container that encode writes, checks every tensor's hash and writes plain safetensors, "
      "whole or not at "
      "all. Writes a tensor record for each tensor.";
  command.shared = {Shared::threads, Shared::strict, Shared::no_provenance};
  command.positionals = {cli::file_positional("IN", cli::Positional::Arity::required,
                                              "What encode wrote: a file, an index.json or a folder.", a.in)};
  command.add("Output",
              {cli::text("output", "OUT", "File or folder to write, or - for standard output.", a.out)
                   .shortened('o')
                   .file(),
               cli::value_option("dtype", "TYPE", "Type of all floats.", a.options.dtype, quant::parse_float)
                   .one_of({"bf16", "f16", "f32"})
                   .shown_default("the type that each had"),
               records_option(a.records),
               cli::value_option("max-shard-size", "SIZE", "Largest file; more become shards with an index.",
                                 a.options.largest_shard, cli::above_zero(parse_size))
                   .shown_default("one file"),
               memory_option(a.memory_bytes)});
  command.examples = {
      {"mlq-quant decode model.mlq.safetensors -o back.safetensors", "each tensor in the type that it had"},
      {"mlq-quant decode model.mlq.safetensors --dtype bf16 -o back.safetensors", "all floats in bfloat16"},
      {"mlq-quant decode model.mlq.safetensors -o - --records decoded.jsonl | sha256sum",
       "nothing but a hash"},
  };
  command.run = [arguments](Context& context) { return decode(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
