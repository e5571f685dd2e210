// mlq-quant verify: is what lies on disk what was meant?
#include <memory>

#include "lib/base/units.h"
#include "lib/quant/decode.h"
#include "lib/records/quant_schema.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;

struct VerifyArguments {
  std::string in, against, records, certificate;
  quant::VerifyOptions options;
  bool bf16_npy = false;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};

records::Tensor record_of(const quant::DecodedTensor& t) {
  const quant::TensorMeta& meta = t.stored->meta;
  records::Tensor record = stored_record(*t.stored, t.file);
  if (t.compared && meta.coding.spec.format != quant::Format::raw) {
    record.rms = t.error.rms;
    record.absmax = t.error.absmax;
    record.rmse = t.error.rmse;
    record.rel_rmse = finite(t.error.rel_rmse);
    record.snr_db = finite(t.error.snr_db);
    record.bias = t.error.bias;
    record.max_abs_err = t.error.max_abs_err;
  }
  if (t.compared) record.hash_source = t.hash_source;
  record.hash_decoded = t.hash_decoded;
  record.ok = t.ok;
  if (!t.note.empty()) record.note = t.note;
  return record;
}

std::optional<std::string> budget_text(const quant::ErrorBudget& budget) {
  if (budget.snr_db) return fmt::format("snr>={:g}dB", *budget.snr_db);
  if (budget.rmse) return fmt::format("rmse<={:g}", *budget.rmse);
  return std::nullopt;
}

records::Certificate certificate_of(const VerifyArguments& a, const quant::StoredModel& stored,
                                    const quant::VerifyReport& report) {
  records::Certificate record;
  record.file = a.in;
  if (!a.against.empty()) record.against = a.against;
  record.source_hash = stored.source_hash();
  record.decoded_hash = report.model.decoded_hash;
  record.tensors = report.model.tensors;
  if (!report.model.worst_tensor.empty()) {
    record.worst_tensor = report.model.worst_tensor;
    record.worst_snr_db = finite(report.model.worst_snr_db);
  }
  record.budget = budget_text(a.options.budget);
  record.ok = report.ok();
  return record;
}

void write_certificate(Context& context, const std::string& path, const records::Certificate& certificate) {
  RecordStream stream(context, {}, path);
  stream.run();
  stream.certificate(certificate);
  stream.end(false);
}

ExitKind verify(VerifyArguments& a, Context& context) {
  if (budget_text(a.options.budget) && a.against.empty())
    throw usage_error("--snr, --rmse: without --against there is nothing to compute errors by");
  if (a.in == "-" && a.against == "-") throw usage_error("--against: standard input is read already");
  const auto begin = std::chrono::steady_clock::now();
  const tensorfile::Source source = open_model(context, a.in, false);
  const quant::StoredModel stored(source);
  std::optional<tensorfile::Source> against;
  if (!a.against.empty()) against.emplace(open_model(context, a.against, a.bf16_npy));
  if (against) a.options.against = &*against;
  if (!a.certificate.empty()) {
    check_output(a.certificate, source, false, "--certificate");
    if (against) check_output(a.certificate, *against, false, "--certificate");
  }
  a.options.resources = resources(context, a.memory_bytes, total_bytes(source));
  RecordStream stream(context, {}, a.records);
  stream.run();
  const quant::VerifyReport report =
      quant::verify(stored, a.options, [&](const quant::DecodedTensor& tensor) {
        if (!tensor.ok)
          context.warn(
              fmt::format("tensor {} {}", tensorfile::in_quotes(tensor.stored->meta.name), tensor.note));
        stream.tensor(record_of(tensor));
      });
  if (report.model.interrupted) {
    stream.end(true);
    return ExitKind::done;
  }
  if (!report.hashes_match && report.model.decoded_hash != stored.decoded_hash())
    context.warn(fmt::format("{}: the model decodes to {}, but {} is stated", a.in, report.model.decoded_hash,
                             stored.decoded_hash()));
  else if (!report.hashes_match)
    context.warn(fmt::format("{}: was not encoded from {}", a.in, a.against));
  const records::Certificate certificate = certificate_of(a, stored, report);
  if (a.certificate.empty()) stream.certificate(certificate);
  records::QuantSummary summary = summary_of(report.model, begin);
  summary.source_hash = stored.source_hash();
  summary.decoded_hash = report.model.decoded_hash;
  stream.summary(summary);
  stream.end(false);
  if (!a.certificate.empty() && report.ok()) write_certificate(context, a.certificate, certificate);
  print_summary(context, summary);
  return report.ok() ? ExitKind::done : ExitKind::answer_no;
}

}  // namespace

cli::Command verify_command() {
  const auto arguments = std::make_shared<VerifyArguments>();
  VerifyArguments& a = *arguments;
  cli::Command command;
  command.name = "verify";
  command.summary = "Read what encode wrote back from disk and hold it against what it says.";
  command.description =
      "Decodes every tensor and computes its hash, and with --against its error, anew. Writes a tensor "
      "record for each. "
      "Exit status 1 if anything differs from what the file states or misses the budget, 3 if the file is "
      "damaged.";
  command.shared = {Shared::threads, Shared::no_provenance};
  command.positionals = {cli::file_positional("IN", cli::Positional::Arity::required,
                                              "What encode wrote: a file, an index.json or a folder.", a.in)};
  command.add(
      "Check",
      {cli::text("against", "SOURCE", "What was encoded: errors are computed by it.", a.against).file(),
       cli::value_option("snr", "DB", "Least signal to noise of every quantized tensor.",
                         a.options.budget.snr_db, parse_decibels),
       cli::value_option("rmse", "R", "Largest root mean square error of every quantized tensor.",
                         a.options.budget.rmse, cli::above_zero(parse_double)),
       cli::text("certificate", "FILE", "Where to leave a certificate if all is well.", a.certificate).file(),
       cli::flag("npy-bf16", "Two-byte elements of an .npy file are bfloat16.", a.bf16_npy),
       records_option(a.records), memory_option(a.memory_bytes)});
  command.examples = {
      {"mlq-quant verify model.mlq.safetensors", "is the file whole?"},
      {"mlq-quant verify model.mlq.safetensors --against model.safetensors --certificate model.cert.jsonl",
       "and is the error what it says?"},
      {"mlq-quant verify model.mlq.safetensors --against model.safetensors --snr 25 --summary",
       "exit status 1 if a tensor has less than 25 dB"},
  };
  command.run = [arguments](Context& context) { return verify(*arguments, context); };
  return command;
}

}  // namespace mlq::tools
