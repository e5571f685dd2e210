// mlq-quant encode: a model in fewer bits.
#include <filesystem>
#include <memory>

#include "lib/base/units.h"
#include "lib/cli/table.h"
#include "lib/device/asked.h"
#include "lib/quant/plan.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {
namespace {

using cli::Context;
using cli::Shared;
using quant::Container;
using quant::Format;
namespace fs = std::filesystem;

struct EncodeArguments {
  std::string in, out, records, plan;
  FormatArguments format;
  std::optional<Container> container;
  quant::EncodeOptions options;
  std::optional<double> bits;
  bool dynamic_activations = false;
  bool bf16_npy = false;
  bool cuda = false;
  uint64_t memory_bytes = quant::Resources().memory_bytes;
};

quant::Nonfinite parse_nonfinite(std::string_view text) {
  return text == "keep"   ? quant::Nonfinite::keep
         : text == "zero" ? quant::Nonfinite::zero
                          : quant::Nonfinite::error;
}

double parse_audit(std::string_view text) {
  const double share = parse_ratio(text).value();
  if (!(share >= 0 && share <= 1)) throw usage_error("\"{}\" must be from 0 to 100%", text);
  return share;
}

Container container_of(const EncodeArguments& a) {
  if (a.container) return *a.container;
  std::string_view out = a.out;
  if (out.ends_with(".zst")) out.remove_suffix(4);
  return out.ends_with(".safetensors") && !out.ends_with(".mlq.safetensors") ? Container::safetensors
                                                                             : Container::mlq;
}

Format format_of(const EncodeArguments& a) {
  const bool budget = a.options.budget.snr_db || a.options.budget.rmse || a.bits;
  if (!a.plan.empty() && (a.format.format || budget))
    throw usage_error(
        "--plan: says the format of each tensor; --format, --snr, --rmse and --bits do not go with it");
  if (!a.plan.empty()) return Format::raw;
  if (!a.format.format && !budget)
    throw usage_error("--format is missing; or give a budget: --snr, --rmse or --bits");
  const Format format = a.format.format.value_or(Format::ec);
  if (budget && format != Format::ec)
    throw usage_error("--snr, --rmse and --bits are budgets of --format ec, not of {}",
                      quant::format_info(format).name);
  if (format == Format::ec && !budget)
    throw usage_error("--format ec needs a budget: --snr, --rmse or --bits");
  if (int(a.options.budget.snr_db.has_value()) + int(a.options.budget.rmse.has_value()) +
          int(a.bits.has_value()) >
      1)
    throw usage_error("--snr, --rmse, --bits: give one of them");
  return format;
}

// The config.json beside the model, for containers that write one.
std::string read_config(const EncodeArguments& a) {
  if (!quant::is_folder_container(a.options.container) || a.options.no_config) return {};
  const fs::path in(a.in);
  const fs::path folder = fs::is_directory(in) ? in : in.has_parent_path() ? in.parent_path() : fs::path(".");
  const fs::path file = folder / "config.json";
  if (!fs::exists(file))
    throw input_error(
        "{}: is not there, and --container {} writes what is quantized into it; --no-config does without",
        file.string(), quant::name_of(a.options.container));
  return read_file(file.string(), size_t{16} << 20);
}

records::Tensor record_of(const quant::TensorReport& t) {
  records::Tensor record;
  record.name = t.info.name;
  record.file = t.file;
  record.shape = t.info.shape;
  record.dtype = tensorfile::dtype_name(t.info.dtype);
  record.elems = t.info.elems;
  record.size_bytes = t.info.size_bytes;
  describe(record, t.coding.spec, t.coding);
  record.out_bytes = t.out_bytes;
  record.bits_per_weight = quant::bits_per_weight(t.out_bytes, t.info.elems);
  record.hash_source = t.hash_source;
  record.hash_decoded = t.hash_decoded;
  if (!t.why_raw.empty()) record.fallback = t.why_raw;
  if (t.coding.spec.format == Format::raw) return record;
  record.rms = t.error.rms;
  record.absmax = t.error.absmax;
  record.rmse = t.error.rmse;
  record.rel_rmse = finite(t.error.rel_rmse);
  record.snr_db = finite(t.error.snr_db);
  if (!record.snr_db) record.note = t.error.noise == 0 ? "nothing is lost: no snr_db" : "all values are 0";
  record.bias = t.error.bias;
  record.max_abs_err = t.error.max_abs_err;
  record.nonfinite = t.counts.nonfinite;
  if (t.coding.spec.format == Format::ec) record.escapes = t.escapes;
  record.flushed_blocks = t.counts.flushed_blocks;
  record.saturated = t.saturated;
  if (t.busy_ns > 0)
    record.rate_bytes_per_s =
        static_cast<double>(t.info.size_bytes) / (static_cast<double>(t.busy_ns) * 1e-9);
  return record;
}

void settle(EncodeArguments& a) {
  quant::EncodeOptions& o = a.options;
  o.spec = spec_of(a.format, format_of(a));
  o.container = container_of(a);
  if (a.dynamic_activations) {
    if (o.container != Container::compressed_tensors ||
        (o.spec.format != Format::int8 && o.spec.format != Format::fp8e4m3))
      throw usage_error("--dynamic-activations goes with --container compressed-tensors and int8 or fp8e4m3");
    o.dynamic_activations = true;
  }
  if (o.container == Container::compressed_tensors) {
    o.spec.signed_codes = a.dynamic_activations;
    o.spec.positive_scales = true;
  }
  quant::check_container(o.container, o.spec);
  if (!a.plan.empty() && o.container != Container::mlq)
    throw usage_error("--plan: only --container mlq holds tensors of several formats");
}

// A plan may be of another model.
void check_plan(const std::map<std::string, quant::Spec>& plan, const tensorfile::Source& source,
                Context& context) {
  for (const auto& [name, spec] : plan) {
    if (source.find(name)) continue;
    const std::string what =
        fmt::format("--plan: {} has no tensor {}", source.name(), tensorfile::in_quotes(name));
    if (context.shared().strict) throw input_error("{} (--strict)", what);
    context.warn(what);
  }
}

// What was asked for and did not come about, though nothing failed.
void warn_of(const EncodeArguments& a, const quant::ModelReport& model, Context& context) {
  if (a.options.spec.format != Format::raw && model.quantized == 0)
    context.warn("no tensor was quantized; \"fallback\" in the records says why of each");
}

ExitKind encode(EncodeArguments& a, Context& context) {
  settle(a);
  if (a.options.resume && a.options.dry_run)
    throw usage_error("--resume: a dry run writes nothing that could be gone on with");
  const auto begin = std::chrono::steady_clock::now();
  const tensorfile::Source source = open_plain_model(context, a.in, a.bf16_npy);
  check_output(a.out, source, a.options.largest_shard > 0);
  a.options.config = read_config(a);
  if (!a.plan.empty()) {
    a.options.plan = read_plan(a.plan, context.shared().strict);
    check_plan(*a.options.plan, source, context);
  }
  a.options.resources = resources(context, a.memory_bytes, total_bytes(source));
  if (a.cuda) a.options.resources.device = device::open_asked();
  a.options.most_bits = a.bits;
  if (a.bits) a.options.budget.snr_db = quant::snr_for_bits(source, a.options, *a.bits);
  a.options.program = fmt::format("{} {}", context.program().name, context.program().version);
  RecordStream stream(context, a.out, a.records);
  stream.run({}, a.options.resources.device);
  const quant::ModelReport model =
      quant::encode(source, a.out, a.options, [&](const quant::TensorReport& tensor) {
        if (tensor.fallback)
          context.warn(fmt::format("tensor {} is stored as it is: {}",
                                   tensorfile::in_quotes(tensor.info.name), tensor.why_raw));
        stream.tensor(record_of(tensor));
      });
  for (const quant::WrittenShard& shard : model.shards)
    stream.shard({shard.file, shard.tensors, shard.size_bytes, model.decoded_hash});
  records::QuantSummary summary = summary_of(model, begin);
  if (a.options.resume) summary.resumed = model.resumed;
  if (a.options.audit > 0) summary.audited_elems = model.audited_elems;
  summary.source_hash = model.source_hash;
  summary.decoded_hash = model.decoded_hash;
  if (!model.missed.empty()) summary.note = "the budget is missed: " + model.missed;
  if (a.options.dry_run) summary.note = "dry run: nothing was written";
  if (!model.interrupted) {
    stream.summary(summary);
    warn_of(a, model, context);
  }
  stream.end(model.interrupted);
  if (model.interrupted)
    context.note(fmt::format("interrupted; {} is left as it was{}", a.out,
                             a.options.resume ? "; run the same command again to go on" : ""));
  else
    print_summary(context, summary);
  return ExitKind::done;
}

}  // namespace

cli::Command encode_command() {
  const auto arguments = std::make_shared<EncodeArguments>();
  EncodeArguments& a = *arguments;
  cli::Command command;
  command.name = "encode";
  command.summary = "Write a model in fewer bits.";
  command.description =
      "Quantizes the float tensors of IN that are selected, copies the others, and writes OUT whole or not "
      "at all. "
      "Writes a tensor record for each, a shard record for each file and a quant_summary. OUT is a file, or, "
      "with a slash "
      "at its end, a folder.";
  command.shared = {Shared::threads, Shared::strict, Shared::no_provenance};
  command.positionals = {
      cli::file_positional("IN", cli::Positional::Arity::required,
                           "Weights: a file, an index.json, a folder, or - for standard input.", a.in)};
  command.add(
      "Output",
      {cli::text("output", "OUT", "File or folder to write, or - for standard output.", a.out)
           .shortened('o')
           .file(),
       cli::value_option("container", "NAME", "For whose loader.", a.container, quant::parse_container)
           .one_of({{"mlq", "mlq's own: holds every format"},
                    {"safetensors", "plain: int8, fp8 and bf16, scales beside them"},
                    {"compressed-tensors", "vLLM, transformers"},
                    {"bnb", "bitsandbytes: nf4 and fp4"}})
           .shown_default("safetensors if OUT ends so, else mlq"),
       records_option(a.records),
       cli::value_option("max-shard-size", "SIZE", "Largest file; more become shards with an index.",
                         a.options.largest_shard, cli::above_zero(parse_size))
           .shown_default("one file"),
       cli::flag("no-config", "Do without the config.json that a folder's loader reads.",
                 a.options.no_config),
       cli::flag("dynamic-activations",
                 "Let the loader quantize activations to 8 bits, a scale a token (compressed-tensors).",
                 a.dynamic_activations),
       cli::flag("dry-run", "Do everything but write OUT.", a.options.dry_run),
       cli::value_option("audit", "SHARE",
                         "Encode so much of the weights once more by other code, and compare: 0.1%.",
                         a.options.audit, parse_audit)
           .shown_default("0"),
       cli::flag("resume",
                 "Keep what is done if this run does not end, and go on with what one before it has kept.",
                 a.options.resume)});
  command.add("Format", format_options(a.format));
  command.add("Budget", {cli::value_option("snr", "DB", "Error of each tensor: signal to noise in decibels.",
                                           a.options.budget.snr_db, parse_decibels),
                         cli::value_option("rmse", "R",
                                           "Error of each tensor: root mean square, in units of the weights.",
                                           a.options.budget.rmse, cli::above_zero(parse_double)),
                         cli::value_option("bits", "B", "Bits a weight of all quantized tensors together.",
                                           a.bits, cli::above_zero(parse_double)),
                         cli::text("plan", "FILE", "A plan: the format of each tensor.", a.plan).file(),
                         cli::flag("force", "Write OUT also where the budget is missed.", a.options.force)});
  command.add("Tensors", selection_options(a.options.selection));
  command.add(
      "Tensors",
      {cli::value_option("nonfinite", "HOW", "What to do with NaN and infinities.", a.options.nonfinite,
                         parse_nonfinite)
           .one_of({{"error", "stop"}, {"keep", "store the tensor as it is"}, {"zero", "take them as 0"}})
           .shown_default("error"),
       cli::flag("no-fallback", "Exit status 1 if a selected tensor does not fit the format.",
                 a.options.no_fallback),
       cli::flag("npy-bf16", "Two-byte elements of an .npy file are bfloat16.", a.bf16_npy),
       cli::choice_option(
           "device", "DEVICE",
           "Where weights are encoded; auto is the CPU, since files come no faster than it encodes.", a.cuda,
           {{"auto", false}, {"cpu", false}, {"cuda", true}})
           .shown_default("auto"),
       memory_option(a.memory_bytes)});
  command.examples = {
      {"mlq-quant encode model.safetensors --format int8 -o model.mlq.safetensors",
       "8 bits, a scale for 64 weights"},
      {"mlq-quant encode model.safetensors --snr 30 -o model.mlq.safetensors --summary",
       "the fewest bits for 30 dB"},
      {"mlq-quant encode model.safetensors --format int4 --grid mse --block 32 -o model.mlq.safetensors",
       "4 bits, the scales by least squares"},
  };
  command.run = [arguments](Context& context) {
    if (arguments->out.empty()) throw usage_error("-o is missing; where is the result to go?");
    check_ending(arguments->out);
    return encode(*arguments, context);
  };
  return command;
}

}  // namespace mlq::tools
