#include "tools/mlq-simigrad/dumps.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <limits>
#include <memory>

#include "lib/base/units.h"
#include "lib/cli/table.h"
#include "lib/device/asked.h"

namespace mlq::tools {
namespace {

using simigrad::Io;

tensorfile::Dtype parse_dtype(std::string_view text) {
  using tensorfile::Dtype;
  constexpr std::pair<std::string_view, Dtype> kWords[] = {
      {"f64", Dtype::f64},   {"f32", Dtype::f32},         {"f16", Dtype::f16},
      {"bf16", Dtype::bf16}, {"f8_e4m3", Dtype::f8_e4m3}, {"f8_e5m2", Dtype::f8_e5m2}};
  for (const auto& [word, dtype] : kWords)
    if (word == text) return dtype;
  throw usage_error("\"{}\" is no type of a gradient; there are f64, f32, f16, bf16, f8_e4m3, f8_e5m2", text);
}

// `bf16`, `f32:1000`.
tensorfile::RawForm parse_raw(std::string_view text) {
  const size_t colon = text.find(':');
  tensorfile::RawForm raw{parse_dtype(text.substr(0, colon))};
  if (colon != std::string_view::npos) raw.elems = parse_count(text.substr(colon + 1));
  return raw;
}

// `64` or `64,64,32`.
std::vector<uint64_t> parse_samples(std::string_view text) {
  std::vector<uint64_t> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    out.push_back(parse_count(text.substr(at, end - at)));
    if (out.back() == 0) throw usage_error("\"{}\": a group has 1 sample or more", text);
    at = end + 1;
  }
  return out;
}

simigrad::Pattern parse_pattern(std::string_view text) { return simigrad::Pattern(text); }

// Safetensors files may begin with a brace too, but their eight bytes of length then have a zero.
bool is_stream(const std::string& path) {
  std::error_code ignored;
  if (path == "-" || path.ends_with(".jsonl") || path.ends_with(".jsonl.zst")) return true;
  if (std::filesystem::is_fifo(path, ignored)) return true;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::string head(8, '\0');
  const auto file = tensorfile::open_byte_file(path);
  head.resize(std::min<uint64_t>(head.size(), file->size()));
  file->read(0, std::as_writable_bytes(std::span(head)));
  return head.starts_with('{') && head.find('\0') == std::string::npos;
}

}  // namespace

simigrad::DumpOptions DumpArguments::options(cli::Context& context) const {
  simigrad::DumpOptions out;
  out.pattern = pattern;
  out.source.raw = raw;
  out.source.u2_is_bf16 = u2_is_bf16;
  out.source.spool_folder = scratch;
  out.source.stop = &context.stop();
  out.group_samples = group_samples;
  out.loss_scale = loss_scale;
  out.include = tensorfile::Names("include", include);
  out.exclude = tensorfile::Names("exclude", exclude);
  out.split = tensorfile::Names("split", split);
  out.replicated = tensorfile::Names("replicated", replicated);
  out.intersect = intersect;
  return out;
}

void DumpArguments::refuse_for_records(const std::string& path) const {
  const std::pair<std::string_view, bool> given[] = {{"pattern", pattern.has_value()},
                                                     {"raw", raw.has_value()},
                                                     {"npy-bf16", u2_is_bf16},
                                                     {"group-samples", !group_samples.empty()},
                                                     {"loss-scale", loss_scale.has_value()},
                                                     {"include", !include.empty()},
                                                     {"exclude", !exclude.empty()},
                                                     {"split", !split.empty()},
                                                     {"replicated", !replicated.empty()},
                                                     {"intersect", intersect}};
  for (const auto& [name, is_given] : given)
    if (is_given)
      throw usage_error(
          "--{}: {} is a stream of gram records, which were made of tensors; measure the dumps anew", name,
          path == "-" ? "standard input" : path);
}

void add_dumps(cli::Command& command, DumpArguments& a) {
  cli::Option samples{.name = "group-samples",
                      .value = "N[,N...]",
                      .help = "Samples behind each group, where the files do not say it."};
  samples.set = [&a](std::string_view text) { a.group_samples = parse_samples(text); };
  command.add(
      "Dumps",
      {cli::value_option(
           "pattern", "PATTERN",
           "Place of a file by its path: {step}, {group} or {rank}, {shard}, {incarnation} stand "
           "for numbers.",
           a.pattern, parse_pattern),
       cli::value_option("raw", "TYPE[:COUNT]", "Files are bare elements of TYPE, such as bf16 or f32.",
                         a.raw, parse_raw),
       cli::flag("npy-bf16", "Two-byte elements of an .npy file are bfloat16.", a.u2_is_bf16),
       std::move(samples),
       cli::value_option("loss-scale", "X",
                         "What the gradients were multiplied by, where the files do not say it.",
                         a.loss_scale, cli::above_zero(parse_double)),
       cli::text("scratch", "FOLDER", "Where compressed dumps are laid down while they are read.", a.scratch)
           .directory()
           .shown_default(a.scratch)});
  command.add("Tensors", {cli::text("include", "REGEX", "Only tensors whose name has it.", a.include),
                          cli::text("exclude", "REGEX", "No tensor whose name has it.", a.exclude),
                          cli::text("split", "REGEX", "Tensors of which each shard has a part.", a.split),
                          cli::text("replicated", "REGEX",
                                    "Tensors that each shard has whole: the first counts.", a.replicated),
                          cli::flag("intersect", "Take the tensors that all groups have.", a.intersect)});
}

simigrad::MeasureOptions MeasuringArguments::options(cli::Context& context) const {
  simigrad::MeasureOptions out;
  out.threads = context.threads();
  out.memory_bytes = memory_bytes;
  out.io = io;
  if (cuda) out.device = device::open_asked();
  out.stop = &context.stop();
  const auto done = std::make_shared<std::atomic<uint64_t>>(0);
  out.progress = [&context, done](uint64_t bytes) {
    const uint64_t now = *done += bytes;
    context.progress([&] { return fmt::format("{} MB", cli::grouped(now / 1'000'000)); });
  };
  return out;
}

std::string MeasuringArguments::device_name(const simigrad::MeasureOptions& options) {
  return options.device ? options.device->info().name : "cpu";
}

void add_measuring(cli::Command& command, MeasuringArguments& a) {
  command.add(
      "Reading",
      {cli::choice_option(
           "io", "HOW",
           "Read files by read(), mapped, or past the page cache; auto is read, but direct for "
           "large files that are not in the cache.",
           a.io, {{"auto", Io::automatic}, {"mmap", Io::mmap}, {"read", Io::read}, {"direct", Io::direct}}),
       cli::choice_option("device", "DEVICE",
                          "Where sums are made; auto is the CPU, since files come no faster than it adds.",
                          a.cuda, {{"auto", false}, {"cpu", false}, {"cuda", true}})
           .shown_default("auto"),
       cli::value_option("memory", "SIZE", "Memory for what is under way.", a.memory_bytes,
                         cli::above_zero(parse_size))
           .shown_default("64MiB")});
}

bool are_records(const std::vector<std::string>& paths) {
  const auto streams = std::ranges::count_if(paths, is_stream);
  if (streams == 0) return false;
  if (paths.size() > 1)
    throw usage_error("PATH: {} is a stream of records; give it alone",
                      *std::ranges::find_if(paths, is_stream));
  return true;
}

}  // namespace mlq::tools
