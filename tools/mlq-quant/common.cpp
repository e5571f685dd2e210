#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <memory>

#include "lib/base/units.h"
#include "lib/cli/provenance.h"
#include "lib/cli/table.h"
#include "lib/patch/chain.h"
#include "lib/patch/patch_file.h"
#include "lib/quant/stored_model.h"
#include "lib/records/gather_schema.h"
#include "lib/records/quant_schema.h"
#include "tools/mlq-quant/commands.h"

namespace mlq::tools {

using cli::Context;
using quant::Format;
namespace fs = std::filesystem;

RecordStream::RecordStream(Context& context, const std::string& data, const std::string& path)
    : context_(context) {
  if (data == "-" && path == "-") throw usage_error("--records: standard output takes the data; name a file");
  if (data == "-" && path.empty()) return;
  // A file that is named twice is an input or the output.
  std::error_code none;
  const auto is_path = [&](const std::string& word) {
    return word == path || word == "--records=" + path || fs::equivalent(word, path, none);
  };
  const auto is_option = [](const std::string& word) { return word.starts_with("--records"); };
  if (!path.empty() && path != "-" && std::ranges::any_of(context.argv(), is_option) &&
      std::ranges::count_if(context.argv(), is_path) > 1)
    throw usage_error("--records: {} is an input or the output, too; name another file", path);
  context.shared().output = path.empty() ? "-" : path;
  writer_.emplace(cli::open_writer(context));
}

void RecordStream::run(const std::string& inputs, const std::optional<device::Device>& device) {
  if (!writer_) return;
  records::Run run = cli::run_record(context_);
  run.threads = context_.threads();
  run.device = device ? device->info().name : "cpu";
  if (!inputs.empty()) run.inputs = records::RawJson{inputs};
  writer_->run(run);
}

void RecordStream::tensor(const records::Tensor& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::stats(const records::TensorStat& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::shard(const records::ShardFile& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::plan(const records::QuantPlan& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::certificate(const records::Certificate& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::summary(const records::QuantSummary& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::bench(const records::QuantBench& record) {
  if (writer_) writer_->write(record);
}

void RecordStream::delta(const records::TensorDelta& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::patch(const records::Patch& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::link(const records::ChainLink& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::gather(const records::GatherStep& record) {
  if (writer_) writer_->write(record);
}
void RecordStream::simulated(const records::SimulatedGather& record) {
  if (writer_) writer_->write(record);
}

void RecordStream::keep_interrupted() {
  context_.keep_output();
  if (writer_) writer_->keep_interrupted();
}

void RecordStream::end(bool interrupted) {
  if (!writer_) return;
  records::End end;
  if (interrupted) end.interrupted = true;
  writer_->end(end);
}

namespace {

void refuse_output_into(const tensorfile::Source& source) {
  struct stat out {};
  if (::fstat(STDOUT_FILENO, &out) != 0 || !S_ISREG(out.st_mode)) return;
  for (size_t i = 0; i < source.shards(); ++i) {
    struct stat in {};
    const std::string& file = source.shard(i).file;
    if (::stat(file.c_str(), &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
      throw environment_error("{}: is the input and the output; write to another file, or use -o", file);
  }
}

void refuse_patch(const tensorfile::Source& source) {
  for (size_t i = 0; i < source.shards(); ++i)
    if (patch::is_patch(source.shard(i).metadata))
      throw input_error("{}: is a patch and no model; mlq-quant apply makes the model that it leads to",
                        source.shard(i).file);
}

void refuse_encoded(const tensorfile::Source& source) {
  if (quant::is_encoded(source))
    throw input_error("{}: is encoded already; mlq-quant decode gives its weights back", source.name());
}

// What a model is read from: its files and, if it has one, their index.
std::vector<fs::path> files_of(const tensorfile::Source& source) {
  std::vector<fs::path> files;
  for (size_t i = 0; i < source.shards(); ++i) files.emplace_back(source.shard(i).file);
  if (source.name().ends_with(".json")) files.emplace_back(source.name());
  return files;
}

}  // namespace

tensorfile::Source open_weights(const Context& context, const std::string& path, bool u2_is_bf16) {
  if (std::error_code none; fs::is_directory(path, none) && patch::Chain::is_chain(path))
    throw input_error("{}: is a chain of checkpoints; mlq-quant apply makes a model of it", path);
  tensorfile::SourceOptions options;
  options.u2_is_bf16 = u2_is_bf16;
  options.stop = &const_cast<Context&>(context).stop();
  try {
    tensorfile::Source source = tensorfile::open_source(path, options);
    refuse_output_into(source);
    return source;
  } catch (const Error& error) {
    if (error.kind() == ExitKind::input && *options.stop) throw Interrupted();
    throw;
  }
}

tensorfile::Source open_model(const Context& context, const std::string& path, bool u2_is_bf16) {
  tensorfile::Source source = open_weights(context, path, u2_is_bf16);
  refuse_patch(source);
  return source;
}

tensorfile::Source open_plain_model(const Context& context, const std::string& path, bool u2_is_bf16) {
  tensorfile::Source source = open_model(context, path, u2_is_bf16);
  refuse_encoded(source);
  return source;
}

tensorfile::Source open_shard(const std::string& path) {
  tensorfile::Source source = tensorfile::open_source(path, {});
  refuse_output_into(source);
  refuse_patch(source);
  refuse_encoded(source);
  return source;
}

void check_ending(const std::string& out, std::string_view option, std::string_view right) {
  constexpr std::string_view kOthers[] = {".npy",  ".npz",  ".gguf", ".ggml", ".pt",  ".pth",   ".bin",
                                          ".ckpt", ".onnx", ".h5",   ".pb",   ".pkl", ".pickle"};
  std::error_code none;
  if (fs::is_directory(out, none)) return;
  fs::path path(out);
  const bool zstd = path.extension() == ".zst";
  if (zstd) path = path.stem();
  std::string ending = path.extension();
  std::ranges::transform(ending, ending.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (std::ranges::count(kOthers, ending) == 0) return;
  throw usage_error("{}: {}: what is written is safetensors, and {} says something else; call it {}{}{}",
                    option, out, path.extension().string(), path.stem().string(), right, zstd ? ".zst" : "");
}

void check_output(const std::string& out, const tensorfile::Source& source, bool sharded,
                  std::string_view option) {
  if (out == "-") return;
  std::error_code none;
  const bool folder = out.ends_with('/') || fs::is_directory(out, none);
  const fs::path path(out);
  const fs::path parent = folder ? path : path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (const fs::path& file : files_of(source)) {
    const fs::path lies_in = file.has_parent_path() ? file.parent_path() : fs::path(".");
    const bool beside = fs::equivalent(lies_in, parent, none);
    const bool one_of_shards =
        sharded && beside && file.filename().string().starts_with(path.stem().string() + "-");
    if (fs::equivalent(file, path, none) || one_of_shards)
      throw usage_error("{}: {} is the input", option, file.string());
    if (folder && beside) throw usage_error("{}: {} is the folder of the input", option, out);
  }
}

void check_replaced_whole(const std::string& out, const tensorfile::Source& source, std::string_view option) {
  if (out == "-") return;
  const std::vector<fs::path> files = files_of(source);
  std::error_code none;
  for (const fs::path& file : files)
    if (files.size() > 1 && fs::equivalent(file, out, none))
      throw usage_error(
          "{}: {} is one of the files of the input; name its folder to replace all of them, or another file",
          option, file.string());
}

quant::Resources resources(Context& context, uint64_t memory_bytes, uint64_t total) {
  quant::Resources resources;
  resources.threads = context.threads();
  resources.memory_bytes = memory_bytes;
  resources.stop = &context.stop();
  const auto done = std::make_shared<std::atomic<uint64_t>>(0);
  resources.progress = [&context, done, total](uint64_t bytes) {
    const uint64_t now = *done += bytes;
    context.progress([&] {
      return fmt::format("{} of {} MB", cli::grouped(std::min(now, total) / 1'000'000),
                         cli::grouped(total / 1'000'000));
    });
  };
  return resources;
}

cli::Option memory_option(uint64_t& memory_bytes) {
  return cli::value_option("memory", "SIZE", "Memory for what is under way.", memory_bytes,
                           cli::above_zero(parse_size))
      .shown_default("256MiB");
}

cli::Option records_option(std::string& path) {
  return cli::text("records", "FILE", "Where the records go.", path).file().shown_default("-");
}

uint64_t total_bytes(const tensorfile::Source& source) {
  uint64_t total = 0;
  for (const auto& tensor : source.tensors()) total += tensor.size_bytes;
  return total;
}

unsigned parse_code_bits(std::string_view text) {
  const uint64_t bits = parse_count(text);
  if (bits != 8 && bits != 4 && bits != 3 && bits != 2)
    throw usage_error("\"{}\" must be 8, 4, 3 or 2", text);
  return static_cast<unsigned>(bits);
}

uint64_t parse_block_elems(std::string_view text) {
  const uint64_t elems = parse_count(text);
  if (elems < 16 || elems > 16384 || !std::has_single_bit(elems))
    throw usage_error("\"{}\" must be a power of two from 16 to 16384", text);
  return elems;
}

double parse_decibels(std::string_view text) {
  if (text.ends_with("dB")) text.remove_suffix(2);
  const double value = parse_double(text);
  if (!(value > 0 && value <= 200)) throw usage_error("\"{}\" must be above 0 and at most 200 dB", text);
  return value;
}

std::vector<cli::Option> format_options(FormatArguments& a) {
  std::vector<cli::Choice> formats;
  for (const auto& info : quant::format_infos())
    formats.emplace_back(std::string(info.name), std::string(info.summary));
  const auto choice = [](std::string name, std::string value, std::string help, auto& target, auto parse,
                         std::vector<cli::Choice> words) {
    return cli::value_option(std::move(name), std::move(value), std::move(help), target, parse)
        .one_of(std::move(words));
  };
  return {
      choice("format", "NAME", "How values are stored.", a.format, quant::parse_format, std::move(formats))
          .shown_default("ec with a budget"),
      cli::text("block", "N", "Elements with one scale: a power of two from 16 to 16384, row or tensor.",
                a.block)
          .shown_default("64; fp8e4m3 128")
          .suggest({"32", "64", "128", "row", "tensor"}),
      choice("blocks", "HOW", "Whether a block may cross the end of a row: flat, row.", a.row_blocks,
             [](std::string_view text) { return text == "row"; }, {"flat", "row"})
          .shown_default("as the container needs"),
      choice("grid", "NAME", "How the scale of an integer block is chosen.", a.grid, quant::parse_grid,
             {{"absmax", "the largest magnitude is the largest code"},
              {"signed", "the extreme value is the smallest code"},
              {"mse", "the least squared error of 32 scales"}})
          .shown_default("absmax for int8, else signed"),
      choice("scale", "TYPE", "Type of the scales.", a.scale, quant::parse_float, {"bf16", "f16", "f32"})
          .shown_default("bf16; fp8e4m3 f32"),
      cli::flag("positive-scales", "Only positive scales, for kernels that expect them.", a.positive_scales),
      cli::flag("double-quant", "Of nf4 and fp4: the scales in 8 bits, in groups of 256.", a.double_quant),
      choice("mx-scale", "HOW", "Of mxfp4 and mxfp8: how the power of two is chosen.", a.mx_scale,
             quant::parse_mx_scale,
             {{"floor", "by the exponent of the largest magnitude"},
              {"even", "one more where its mantissa is 1.75 or above"},
              {"best", "the least squared error of the two"}})
          .shown_default("best"),
      choice("nvfp4-scale", "HOW", "Of nvfp4: what the largest magnitude of a block becomes.", a.four_or_six,
             [](std::string_view text) { return text == "best"; },
             {{"six", "6"}, {"best", "6 or 4, by the least squared error"}})
          .shown_default("best"),
      choice("zstd", "HOW", "How codes are compressed; only --container mlq holds them so.", a.zstd,
             quant::parse_zstd,
             {{"off", "not"},
              {"literal", "Huffman codes alone"},
              {"match", "matches too"},
              {"auto", "whichever is smaller"}})
          .shown_default("auto for ec, else off"),
  };
}

std::vector<Format> parse_formats(std::string_view text) {
  std::vector<Format> formats;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    formats.push_back(quant::parse_format(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return formats;
}

quant::Spec spec_of(const FormatArguments& a, Format format) {
  quant::Spec spec = quant::default_spec(format);
  if (a.block) quant::parse_block(*a.block, spec);
  if (a.row_blocks) spec.row_blocks = *a.row_blocks;
  if (a.grid) spec.grid = *a.grid;
  if (a.scale) spec.scale = *a.scale;
  if (a.mx_scale) spec.mx_scale = *a.mx_scale;
  if (a.four_or_six) spec.four_or_six = *a.four_or_six;
  if (a.zstd) spec.zstd = *a.zstd;
  spec.positive_scales = a.positive_scales;
  spec.double_quant = a.double_quant;
  quant::validate(spec);
  return spec;
}

std::vector<cli::Option> selection_options(quant::Selection& selection) {
  cli::Option include = cli::text("include", "REGEX", "Only tensors whose name has it.", selection.include);
  cli::Option exclude = cli::text("exclude", "REGEX", "No tensor whose name has it.", selection.exclude);
  return {std::move(include), std::move(exclude),
          cli::value_option("min-elems", "N", "Smaller tensors stay as they are.", selection.min_elems,
                            parse_count)
              .shown_default("4096"),
          cli::flag("quantize-1d", "Also tensors of one dimension.", selection.quantize_1d)};
}

std::optional<double> finite(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

uint64_t peak_rss_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

records::QuantSummary summary_of(const quant::ModelReport& model,
                                 std::chrono::steady_clock::time_point begin) {
  records::QuantSummary summary;
  summary.tensors = model.tensors;
  summary.quantized = model.quantized;
  summary.in_bytes = model.in_bytes;
  summary.out_bytes = model.out_bytes;
  summary.bits_per_weight = quant::bits_per_weight(model.quantized_bytes, model.quantized_elems);
  if (model.signal > 0) {
    summary.rel_rmse = std::sqrt(model.noise / model.signal);
    summary.snr_db = finite(quant::snr_db_of(model.signal, model.noise));
  }
  if (!model.worst_tensor.empty()) summary.worst_tensor = model.worst_tensor;
  if (summary.worst_tensor) summary.worst_snr_db = finite(model.worst_snr_db);
  summary.duration_ns = std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count();
  summary.rate_bytes_per_s = static_cast<double>(model.in_bytes) /
                             (static_cast<double>(std::max<int64_t>(summary.duration_ns, 1)) * 1e-9);
  summary.peak_rss_bytes = peak_rss_bytes();
  return summary;
}

records::Tensor stored_record(const quant::StoredTensor& tensor, const std::string& file) {
  const quant::TensorMeta& meta = tensor.meta;
  records::Tensor record;
  record.name = meta.name;
  record.file = file;
  record.shape = meta.shape;
  record.dtype = tensorfile::dtype_name(meta.dtype);
  record.elems = meta.size_bytes * 8 / tensorfile::bits_per_element(meta.dtype);
  record.size_bytes = meta.size_bytes;
  describe(record, meta.coding.spec, meta.coding);
  record.out_bytes = tensor.stored_bytes;
  record.bits_per_weight = quant::bits_per_weight(tensor.stored_bytes, record.elems);
  return record;
}

void describe(records::Tensor& record, const quant::Spec& spec, const quant::Coding& coding) {
  record.format = quant::format_info(spec.format).name;
  if (quant::has_plane(coding, quant::Plane::scales)) record.block = quant::block_text(spec);
  if (quant::is_block_int(spec.format)) record.grid = quant::name_of(spec.grid);
  const bool scaled = quant::is_block_int(spec.format) || spec.format == Format::nf4 ||
                      spec.format == Format::fp4 || spec.format == Format::fp8e4m3;
  if (scaled) record.scale = spec.double_quant ? "u8" : std::string(quant::name_of(spec.scale));
  if (spec.format == Format::ec) record.step = coding.step;
}

void print_summary(Context& context, const records::QuantSummary& s) {
  if (!context.wants_summary()) return;
  std::string text = fmt::format("{} tensors, {} quantized: {} MB to {} MB", s.tensors, s.quantized,
                                 cli::rounded(static_cast<double>(s.in_bytes) / 1e6),
                                 cli::rounded(static_cast<double>(s.out_bytes) / 1e6));
  if (s.quantized > 0) text += fmt::format(", {:.3f} bits a weight", s.bits_per_weight);
  if (s.snr_db) text += fmt::format(", {:.2f} dB", *s.snr_db);
  text += '\n';
  if (s.worst_tensor && s.worst_snr_db)
    text += fmt::format("worst: {}, {:.2f} dB\n", *s.worst_tensor, *s.worst_snr_db);
  text += fmt::format("{} at {} MB/s\n", format_duration(s.duration_ns / 1'000'000 * 1'000'000),
                      cli::rounded(s.rate_bytes_per_s / 1e6));
  context.print(text);
}

}  // namespace mlq::tools
