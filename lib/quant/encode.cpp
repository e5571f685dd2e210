#include "lib/quant/encode.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "lib/base/error.h"
#include "lib/quant/encode_works.h"
#include "lib/quant/pieces.h"
#include "lib/quant/run_works.h"

namespace mlq::quant {
namespace {

using tensorfile::Metadata;
using tensorfile::Source;
using tensorfile::TensorInfo;

// Bits are planned by samples, and met to this.
constexpr double kBitsSlack = 0.02;
constexpr std::string_view kHead = "lm_head";
constexpr std::string_view kHashWidth = "xxh3:00000000000000000000000000000000";

// What is to be done with one tensor.
struct Choice {
  Spec spec;  // adapted; raw if it is copied
  std::string why_raw;
  bool fallback = false;
  uint64_t piece = 0;
};

Spec wanted_spec(const EncodeOptions& options, const TensorInfo& tensor) {
  if (!options.plan) return options.spec;
  const auto it = options.plan->find(tensor.name);
  return it != options.plan->end() ? it->second : default_spec(Format::raw);
}

Choice raw(std::string why, bool fallback, Zstd zstd) {
  Choice choice{default_spec(Format::raw), std::move(why), fallback, 0};
  choice.spec.zstd = zstd;
  return choice;
}

Choice choose(const EncodeOptions& options, const Selector& selector, const TensorInfo& tensor) {
  // Only who asks for raw planes to be compressed gets what no other program reads.
  const Zstd raw_zstd = options.spec.format == Format::raw ? options.spec.zstd : Zstd::off;
  std::string why = selector.why_not(tensor);
  if (options.plan && options.plan->contains(tensor.name)) why.clear();
  const Spec wanted = wanted_spec(options, tensor);
  if (wanted.format == Format::raw) return raw({}, false, wanted.zstd);
  if (!why.empty()) return raw(std::move(why), false, raw_zstd);
  Adapted adapted = adapt(options.container, wanted, tensor);
  const Coding coding = unsettled_coding(adapted.spec, *source_float(tensor.dtype), as_rows(tensor.shape));
  const auto piece = piece_elems(coding, tensor.dtype);
  if (adapted.unfit.empty() && !piece)
    adapted.unfit = "rows of that length meet the leaves of its hash too seldom";
  if (adapted.unfit.empty()) return {adapted.spec, {}, false, *piece};
  if (options.no_fallback)
    throw Error(
        ExitKind::answer_no,
        fmt::format("tensor {}: {} does not fit: {}; without --no-fallback it is stored as it is",
                    tensorfile::in_quotes(tensor.name), format_info(wanted.format).name, adapted.unfit));
  return raw(std::move(adapted.unfit), true, raw_zstd);
}

// Reads all that is to be quantized once and turns tensors with NaN or infinities into raw ones.
class NonfiniteScan final : public Work {
 public:
  NonfiniteScan(const Source& source, size_t index, Choice& choice)
      : source_(source),
        index_(index),
        info_(source.tensors()[index]),
        choice_(choice),
        piece_(choice.piece) {}
  size_t pieces() const override { return pieces_of(info_.elems, piece_); }
  void run(unsigned, size_t piece, Worker& worker) override {
    const Range range = piece_at(info_.elems, piece_, piece);
    const size_t width = tensorfile::bits_per_element(info_.dtype) / 8;
    worker.input.resize(range.count * width);
    source_.read(index_, range.first * width, worker.input);
    worker.compute([&] {
      for (uint64_t i = 0; i < range.count; ++i)
        if (!finite(worker.input.data() + i * width)) found_ = true;
    });
  }
  void end() override {
    if (found_) choice_ = raw("NaN or infinite values", true, Zstd::off);
  }

 private:
  // By the bits of the exponent, whatever the type.
  bool finite(const std::byte* at) const {
    const auto high = [&](size_t width) {
      return static_cast<unsigned>(at[width - 1]) << 8 | static_cast<unsigned>(at[width - 2]);
    };
    switch (info_.dtype) {
      case tensorfile::Dtype::f64:
        return (high(8) & 0x7ff0U) != 0x7ff0U;
      case tensorfile::Dtype::f32:
        return (high(4) & 0x7f80U) != 0x7f80U;
      case tensorfile::Dtype::bf16:
        return (high(2) & 0x7f80U) != 0x7f80U;
      default:
        return (high(2) & 0x7c00U) != 0x7c00U;
    }
  }
  const Source& source_;
  const size_t index_;
  const TensorInfo& info_;
  Choice& choice_;
  const uint64_t piece_;
  std::atomic<bool> found_ = false;
};

// False if it was interrupted.
bool keep_nonfinite(const Source& source, std::vector<Choice>& choices, const Resources& resources) {
  std::vector<std::unique_ptr<Work>> works;
  for (size_t i = 0; i < choices.size(); ++i)
    if (choices[i].spec.format != Format::raw)
      works.push_back(std::make_unique<NonfiniteScan>(source, i, choices[i]));
  Turnstile none;
  return run_works(works, resources, none);
}

TensorOutput output_of(const EncodeOptions& options, const Choice& choice, const TensorInfo& tensor,
                       size_t placement) {
  // Nothing is stored of an empty tensor but its name and shape, which a compressed plane does not have.
  const Spec spec = tensor.size_bytes == 0 ? default_spec(Format::raw) : choice.spec;
  return {placement, out_planes(options.container, spec, tensor)};
}

Placement placement_of(const EncodeOptions& options, const Choice& choice, const TensorInfo& tensor,
                       const TensorOutput& output) {
  Placement placement;
  placement.name = tensor.name;
  for (const OutPlane& plane : output.planes) placement.tensors.push_back(plane.tensor);
  const Coding coding =
      unsettled_coding(choice.spec, source_float(tensor.dtype).value_or(Float::f32), as_rows(tensor.shape));
  for (Companion& companion : companions(options.container, coding, tensor))
    placement.tensors.push_back(std::move(companion.tensor));
  TensorMeta meta;
  meta.dtype = tensor.dtype;
  meta.shape = tensor.shape;
  meta.coding = coding;
  for (const OutPlane& plane : output.planes)
    meta.planes.push_back({plane.plane, plane.tensor.name, 0, plane.zstd});
  placement.metadata_bytes =
      tensorfile::metadata_bytes({{meta_key(tensor.name), meta_json(widest(std::move(meta)))}});
  return placement;
}

Metadata common_metadata(const Source& source, Container container, std::string_view source_hash,
                         std::string_view decoded_hash) {
  Metadata metadata;
  for (size_t shard = 0; shard < source.shards(); ++shard)
    for (const auto& [key, value] : source.shard(shard).metadata)
      if (!key.starts_with("mlq.")) metadata.emplace(key, value);
  // Without it some loaders take no file.
  if (container != Container::mlq) metadata.emplace("format", "pt");
  metadata.insert_or_assign(std::string(kVersionKey), kMetaVersion);
  metadata.insert_or_assign(std::string(kKindKey), kKind);
  metadata.insert_or_assign(std::string(kSourceHashKey), source_hash);
  metadata.insert_or_assign(std::string(kDecodedHashKey), decoded_hash);
  return metadata;
}

// Sums the tensors up.
class Summing {
 public:
  Summing(const EncodeOptions& options, const std::function<void(const TensorReport&)>& report)
      : options_(options), report_(report) {}

  void add(TensorReport& tensor) {
    model_.tensors += 1;
    model_.in_bytes += tensor.info.size_bytes;
    model_.out_bytes += tensor.out_bytes;
    const auto dtype = tensorfile::dtype_name(tensor.info.dtype);
    source_.add(tensor.info.name, dtype, tensor.info.shape, tensor.source);
    decoded_.add(tensor.info.name, dtype, tensor.info.shape, tensor.decoded);
    if (tensor.coding.spec.format != Format::raw) add_quantized(tensor);
    if (report_) report_(tensor);
  }

  ModelReport result() {
    model_.source_hash = hash_text(source_.digest());
    model_.decoded_hash = hash_text(decoded_.digest());
    const double bits = bits_per_weight(model_.quantized_bytes, model_.quantized_elems);
    if (options_.most_bits && bits > *options_.most_bits + kBitsSlack)
      model_.missed = fmt::format("{:.3f} bits a weight, of {:g}", bits, *options_.most_bits);
    return model_;
  }

 private:
  void add_quantized(const TensorReport& tensor) {
    model_.quantized += 1;
    model_.quantized_elems += tensor.info.elems;
    model_.quantized_bytes += tensor.out_bytes;
    model_.signal += tensor.error.signal;
    model_.noise += tensor.error.noise;
    if (model_.quantized == 1 || tensor.error.snr_db < model_.worst_snr_db) {
      model_.worst_snr_db = tensor.error.snr_db;
      model_.worst_tensor = tensor.info.name;
    }
    const ErrorBudget& budget = options_.budget;
    const bool ec = tensor.coding.spec.format == Format::ec;
    const std::string name = tensorfile::in_quotes(tensor.info.name);
    if (!ec || !model_.missed.empty()) return;
    if (budget.snr_db && tensor.error.snr_db < *budget.snr_db)
      model_.missed =
          fmt::format("tensor {} has {:.2f} dB, of {:g}", name, tensor.error.snr_db, *budget.snr_db);
    if (budget.rmse && tensor.error.rmse > *budget.rmse)
      model_.missed =
          fmt::format("tensor {} has an rmse of {:g}, of {:g}", name, tensor.error.rmse, *budget.rmse);
  }

  const EncodeOptions& options_;
  const std::function<void(const TensorReport&)>& report_;
  ModelReport model_;
  ModelHash source_, decoded_;
};

// A tensor of the source may have the name of a plane of another.
void check_names(const std::vector<Placement>& placements) {
  std::map<std::string_view, const Placement*> seen;
  for (const Placement& placement : placements) {
    for (const auto& tensor : placement.tensors) {
      const auto [it, fresh] = seen.emplace(tensor.name, &placement);
      if (!fresh)
        throw input_error("tensors {} and {} would both become {}", tensorfile::in_quotes(it->second->name),
                          tensorfile::in_quotes(placement.name), tensorfile::in_quotes(tensor.name));
    }
  }
}

// The config.json of the output; empty if there is to be none.
std::string config_text(const EncodeOptions& options, const std::vector<Choice>& choices,
                        const Source& source) {
  if (!is_folder_container(options.container) || options.no_config) return {};
  std::vector<std::string> ignored;
  bool head = false;
  for (size_t i = 0; i < choices.size(); ++i) {
    const TensorInfo& tensor = source.tensors()[i];
    if (tensor.name.find(kHead) != tensor.name.npos) head = true;
    if (choices[i].spec.format != Format::raw || tensor.shape.size() != 2 ||
        !tensor.name.ends_with(".weight"))
      continue;
    ignored.push_back(tensor.name.substr(0, tensor.name.size() - std::string_view(".weight").size()));
  }
  // A head that is tied to the embeddings is a layer without a tensor.
  if (!head) ignored.emplace_back(kHead);
  return quantized_config(options.container, options.spec, options.dynamic_activations, options.config,
                          ignored, "config.json");
}

void write_config(const std::string& folder, const std::string& text) {
  Output file = Output::open(folder + "config.json");
  file.write(text);
  file.close();
}

std::string text_of(const Spec& s) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {:a} {}", int(s.format), int(s.block_kind),
                     s.block, s.row_blocks, int(s.grid), s.positive_scales, int(s.scale), s.double_quant,
                     int(s.mx_scale), s.four_or_six, s.eighth_for_zero, int(s.order), s.signed_codes, s.step,
                     int(s.zstd));
}

// Of all that decides about the bytes of the output.
Digest fingerprint_of(const Source& source, const EncodeOptions& options,
                      const std::vector<Choice>& choices) {
  std::string text = options.program + "\n";
  for (const Source::File& file : source.files()) {
    const std::string version = file.bytes->version();
    if (version.empty())
      throw usage_error(
          "--resume: {} is a stream or compressed, and is laid down anew for each run; name a plain file",
          source.name());
    text += fmt::format("{} {}\n", file.shard.file, version);
  }
  const ErrorBudget& budget = options.budget;
  text += fmt::format("{} {} {:a} {:a} {}\n", int(options.container), int(options.nonfinite),
                      budget.snr_db.value_or(0), budget.rmse.value_or(0), options.largest_shard);
  for (size_t i = 0; i < choices.size(); ++i)
    text += fmt::format("{} {} {}\n", source.tensors()[i].name, text_of(choices[i].spec), choices[i].why_raw);
  return digest_of(std::as_bytes(std::span(text)));
}

// As many of the finished tensors as the part files still hold, in the writer.
size_t adopted(ModelWriter& writer, const std::vector<FinishedTensor>& finished) {
  for (size_t i = 0; i < finished.size(); ++i) {
    try {
      writer.adopt(i, finished[i].appended);
      if (writer.stored(i) != finished[i].stored) return i;
    } catch (const Error&) {
      return i;
    }
  }
  return finished.size();
}

// The writer and, where the encoding is to be resumed, the journal of what is in it already.
void open_output(Encoding& encoding, const std::string& out, const std::vector<Choice>& choices,
                 const std::vector<Placement>& placements) {
  const EncodeOptions& options = encoding.options;
  const auto open = [&] {
    encoding.writer.reset();  // its lock
    encoding.writer = std::make_unique<ModelWriter>(
        out, placements, common_metadata(encoding.source, options.container, kHashWidth, kHashWidth),
        WriterOptions{options.largest_shard, options.dry_run, options.resume});
  };
  // Before there is a file: what cannot be resumed leaves none.
  const Digest fingerprint = options.resume ? fingerprint_of(encoding.source, options, choices) : Digest{};
  open();
  const std::string path = encoding.writer->journal_path();
  if (!options.resume) {
    // It would be of part files that are no more.
    if (!options.dry_run) ::unlink(path.c_str());
    return;
  }
  encoding.journal = std::make_unique<PartJournal>(path, fingerprint, encoding.source.tensors());
  const std::vector<FinishedTensor>& finished = encoding.journal->finished();
  const size_t said = finished.size();
  encoding.journal->keep(encoding.writer->resumed() ? adopted(*encoding.writer, finished) : 0);
  if (finished.size() == said) return;
  open();  // the one that is damaged was adopted too
  encoding.journal->keep(adopted(*encoding.writer, finished));
}

// What is done already; how many tensors.
size_t take_over(Encoding& encoding) {
  if (!encoding.journal) return 0;
  const std::vector<FinishedTensor>& finished = encoding.journal->finished();
  for (size_t i = 0; i < finished.size(); ++i) {
    TensorReport report = finished[i].report;
    report.file = encoding.source.shard(report.info.shard).file;
    encoding.writer->set_metadata(i, meta_key(report.info.name), finished[i].meta);
    encoding.finished(report);
  }
  return finished.size();
}

// False if it was interrupted. Whatever ends it, the journal says what is done.
bool run(Encoding& encoding, const std::vector<std::unique_ptr<Work>>& works) {
  const auto flush = [&] {
    if (encoding.journal) encoding.journal->flush([&] { encoding.writer->sync(); });
  };
  try {
    const bool done = run_works(works, encoding.options.resources, encoding.turns);
    flush();
    return done;
  } catch (const Error&) {
    try {
      flush();
    } catch (const Error&) {  // as on a full disk; what failed first is what is to be told
    }
    throw;
  }
}

}  // namespace

ModelReport encode(const Source& source, const std::string& out, const EncodeOptions& options,
                   const std::function<void(const TensorReport&)>& report) {
  const Selector selector(options.selection, options.container, options.config);
  std::vector<Choice> choices;
  for (const TensorInfo& tensor : source.tensors()) choices.push_back(choose(options, selector, tensor));
  ModelReport interrupted;
  interrupted.interrupted = true;
  if (options.nonfinite == Nonfinite::keep && !keep_nonfinite(source, choices, options.resources))
    return interrupted;

  const std::string config = config_text(options, choices, source);
  Summing sums(options, report);
  Encoding encoding{source,    options, nullptr, nullptr,
                    {},        0,       0,       [&](TensorReport& tensor) { sums.add(tensor); },
                    "/var/tmp"};
  std::vector<TensorOutput> outputs;
  std::vector<Placement> placements;
  for (size_t i = 0; i < choices.size(); ++i) {
    outputs.push_back(output_of(options, choices[i], source.tensors()[i], i));
    placements.push_back(placement_of(options, choices[i], source.tensors()[i], outputs[i]));
  }
  check_names(placements);
  open_output(encoding, out, choices, placements);
  if (is_folder_container(options.container) && !options.no_config && !encoding.writer->folder())
    throw usage_error("-o: --container {} writes a folder; give its name with a slash at the end",
                      name_of(options.container));
  const size_t resumed = take_over(encoding);
  std::vector<std::unique_ptr<Work>> works;
  for (size_t i = resumed; i < choices.size(); ++i) {
    const Choice& choice = choices[i];
    works.push_back(choice.spec.format == Format::raw
                        ? copying_work(encoding, i, choice.spec.zstd, choice.why_raw, choice.fallback,
                                       std::move(outputs[i]))
                        : quantizing_work(encoding, i, choice.spec, choice.piece, std::move(outputs[i])));
  }
  if (!run(encoding, works)) return interrupted;
  source.check_unchanged();
  ModelReport model = sums.result();
  model.audited_elems = encoding.audited_elems;
  model.resumed = resumed;
  if (!model.missed.empty() && !options.force)
    throw Error(
        ExitKind::answer_no,
        fmt::format("the budget is missed: {}; nothing was written; --force writes it", model.missed));
  model.shards = encoding.writer->publish(
      common_metadata(source, options.container, model.source_hash, model.decoded_hash));
  if (encoding.journal) encoding.journal->remove();
  if (!config.empty() && !options.dry_run) write_config(*encoding.writer->folder(), config);
  return model;
}

}  // namespace mlq::quant
