#include "lib/quant/decode.h"

#include <atomic>
#include <chrono>
#include <cstring>

#include "kernels/cast.h"
#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/quant/pieces.h"
#include "lib/quant/run_works.h"
#include "lib/quant/values.h"

namespace mlq::quant {
namespace {

using tensorfile::Dtype;

constexpr uint64_t kCopiedPiece = uint64_t{16} << 20;  // bytes

Dtype dtype_of(Float type) {
  return type == Float::f32 ? Dtype::f32 : type == Float::f16 ? Dtype::f16 : Dtype::bf16;
}

// What the works of one decoding, or of one verification, share.
struct Decoding {
  const StoredModel& model;
  const Resources& resources;
  std::unique_ptr<ModelWriter> writer;          // of decode
  const tensorfile::Source* against = nullptr;  // of verify
  std::function<void(DecodedTensor&)> finished;
  bool strict = false;
  Turnstile turns;  // of pieces that must know how many escapes come before them
  uint64_t turn_count = 0;
};

// Hashes and counts of a tensor, and where its values go.
class DecodingWork : public Work {
 public:
  DecodingWork(Decoding& decoding, size_t index, Dtype target)
      : decoding_(decoding),
        index_(index),
        stored_(decoding.model.tensors()[index]),
        meta_(stored_.meta),
        target_(target) {
    if (decoding.against != nullptr) against_ = decoding.against->find(meta_.name);
  }

  void end() override {
    DecodedTensor result;
    result.stored = &stored_;
    result.dtype = target_;
    result.busy_ns = busy_ns_;
    result.saturated = totals_.saturated();
    result.file = decoding_.model.source().shard(shard()).file;
    result.out_bytes = element_count() * tensorfile::bits_per_element(target_) / 8;
    result.decoded = totals_.decoded_hash();
    result.hash_decoded = hash_text(result.decoded);
    if (result.hash_decoded != meta_.hash_decoded)
      complain(result,
               fmt::format("decodes to {}, but {} is stated", result.hash_decoded, meta_.hash_decoded));
    if (decoding_.against != nullptr) compare(result);
    if (decoding_.strict && result.saturated > 0)
      throw input_error("{}: tensor {}: {} are beyond the range of {}", result.file, name(),
                        format_count(result.saturated, "value"), tensorfile::dtype_name(target_));
    decoding_.finished(result);
    totals_.clear();
  }

 protected:
  size_t shard() const {
    for (const auto& plane : stored_.planes)
      if (plane) return decoding_.model.source().tensors()[*plane].shard;
    return 0;
  }
  std::string name() const { return tensorfile::in_quotes(meta_.name); }
  uint64_t element_count() const { return meta_.size_bytes * 8 / tensorfile::bits_per_element(meta_.dtype); }
  size_t width() const { return tensorfile::bits_per_element(meta_.dtype) / 8; }

  // Of the source that is compared with, the bytes of a range. False if there is none that fits.
  bool read_against(uint64_t offset, uint64_t size, std::vector<std::byte>& out) const {
    if (!against_ || !same_shape()) return false;
    out.resize(size);
    decoding_.against->read(*against_, offset, out);
    return true;
  }

  void put(uint64_t offset, std::span<const std::byte> bytes) const {
    if (decoding_.writer) decoding_.writer->write(index_, 0, offset, bytes);
  }

  void progress(uint64_t bytes) const {
    if (decoding_.resources.progress) decoding_.resources.progress(bytes);
  }

  Decoding& decoding_;
  const size_t index_;
  const StoredTensor& stored_;
  const TensorMeta& meta_;
  const Dtype target_;
  std::optional<size_t> against_;
  TensorTotals totals_;
  std::atomic<int64_t> busy_ns_ = 0;

 private:
  bool same_shape() const {
    const auto& info = decoding_.against->tensors()[*against_];
    return info.dtype == meta_.dtype && info.shape == meta_.shape;
  }

  void complain(DecodedTensor& result, std::string note) const {
    result.ok = false;
    if (result.note.empty()) result.note = std::move(note);
  }

  void compare(DecodedTensor& result) const {
    if (!against_) return complain(result, "is not in what it is compared with");
    if (!same_shape()) return complain(result, "has another type or shape in what it is compared with");
    result.compared = true;
    result.source = totals_.source_hash();
    result.hash_source = hash_text(result.source);
    result.error = totals_.error(element_count());
    if (result.hash_source != meta_.hash_source)
      complain(result, "was encoded from other values than those it is compared with");
    else if (meta_.coding.spec.format != Format::raw && result.error.rmse != meta_.rmse)
      complain(result, fmt::format("has an rmse of {}, but {} is stated", result.error.rmse, meta_.rmse));
  }
};

// Quantized tensors.
class UnquantizingWork final : public DecodingWork {
 public:
  UnquantizingWork(Decoding& decoding, size_t index, Dtype target)
      : DecodingWork(decoding, index, target), first_turn_(decoding.turn_count) {
    Coding coding = meta_.coding;
    for (const StoredPlane& plane : meta_.planes)
      if (plane.zstd) coding.spec.zstd = Zstd::literal;
    const auto piece = piece_elems(coding, meta_.dtype);
    if (!piece)
      throw input_error("{}: tensor {}: its rows meet the leaves of its hash too seldom; the file is damaged",
                        decoding.model.source().shard(shard()).file, name());
    piece_ = *piece;
    if (has_plane(coding, Plane::escapes)) decoding.turn_count += pieces();
  }

  size_t pieces() const override { return pieces_of(element_count(), piece_); }
  void begin() override { reader_.emplace(decoding_.model, stored_); }
  void end_pass(unsigned) override {
    const bool complete = escapes_before_ == meta_.escapes;
    reader_.reset();
    if (!complete)
      throw input_error("{}: tensor {}: its codes mark {} escapes, and there are {}; the file is damaged",
                        decoding_.model.source().shard(shard()).file, name(), escapes_before_, meta_.escapes);
  }

  void run(unsigned, size_t piece, Worker& worker) override {
    const Range range = piece_at(element_count(), piece_, piece);
    const Coding& coding = reader_->coding();
    Piece planes;
    for (const Plane plane : {Plane::codes, Plane::high, Plane::scales})
      reader_->read(plane, plane_extent(coding, plane, range), worker, planes.plane(plane));
    transcode(stored_.container, coding.spec, planes.codes);
    if (has_plane(coding, Plane::escapes)) read_escapes(coding, piece, worker, planes);
    const bool compared = read_against(range.first * width(), range.count * width(), worker.input);
    PieceTotals totals;
    worker.compute([&] { decode_values(coding, range, view_of(planes), compared, totals, worker); });
    const size_t out_width = tensorfile::bits_per_element(target_) / 8;
    put(range.first * out_width,
        target_ == meta_.dtype ? decoded_bytes(worker) : std::span<const std::byte>(worker.other));
    totals_.add(piece, std::move(totals));
    progress(range.count * width());
  }

 private:
  // Where the piece's escapes begin is known when those before it have been counted.
  void read_escapes(const Coding& coding, size_t piece, Worker& worker, Piece& planes) {
    uint64_t count = 0;
    worker.compute([&] { count = count_escapes(coding, view_of(planes)); });
    decoding_.turns.wait_for(first_turn_ + piece);
    const uint64_t before = escapes_before_;
    escapes_before_ += count;
    decoding_.turns.pass();
    if (before + count > meta_.escapes)
      throw input_error(
          "{}: tensor {}: its codes mark more escapes than the {} that there are; the file is damaged",
          decoding_.model.source().shard(shard()).file, name(), meta_.escapes);
    const size_t size = size_of(coding.source);
    reader_->read(Plane::escapes, {before * size, count * size}, worker, planes.escapes);
  }

  // To worker.decoded in the source's type (F64 as f32), and to worker.other in the target's if that is
  // another.
  void decode_values(const Coding& coding, const Range& range, const PieceView& planes, bool compared,
                     PieceTotals& totals, Worker& worker) {
    const auto begin = std::chrono::steady_clock::now();
    uint64_t cut = 0;
    worker.decoded.resize(range.count * size_of(coding.source));
    decode_piece(coding, range, planes, coding.source, worker.decoded.data(), &cut);
    totals.decoded_leaves = leaf_digests(decoded_bytes(worker));
    totals.saturated = cut;
    if (target_ != meta_.dtype) {
      totals.saturated = 0;
      const Float type = *source_float(target_);
      worker.other.resize(range.count * size_of(type));
      decode_piece(coding, range, planes, type, worker.other.data(), &totals.saturated);
    }
    if (compared) {
      totals.source_leaves = leaf_digests(worker.input);
      totals.errors.resize(kernels::sum_groups(range.count));
      kernels::error_sums_simd(range.count, coding.source,
                               as_values(meta_.dtype, worker.input, worker.packed), coding.source,
                               worker.decoded.data(), totals.errors.data());
    }
    busy_ns_ += std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count();
  }

  std::span<const std::byte> decoded_bytes(Worker& worker) const {
    return as_bytes_of(meta_.dtype, worker.decoded, worker.values);
  }

  std::optional<PlaneReader> reader_;
  uint64_t piece_ = 0;
  uint64_t first_turn_;
  uint64_t escapes_before_ = 0;
};

// Tensors that were stored as they are.
class RestoringWork final : public DecodingWork {
 public:
  using DecodingWork::DecodingWork;

  size_t pieces() const override { return pieces_of(meta_.size_bytes, kCopiedPiece); }
  void begin() override { reader_.emplace(decoding_.model, stored_); }
  void end_pass(unsigned) override { reader_.reset(); }

  void run(unsigned, size_t piece, Worker& worker) override {
    const Range range = piece_at(meta_.size_bytes, kCopiedPiece, piece);
    PieceTotals totals;
    read(range, worker);
    const bool compared = read_against(range.first, range.count, worker.input);
    worker.compute([&] {
      totals.decoded_leaves = leaf_digests(worker.decoded);
      if (compared) totals.source_leaves = leaf_digests(worker.input);
      if (target_ != meta_.dtype) convert(worker, totals);
    });
    if (target_ == meta_.dtype)
      put(range.first, worker.decoded);
    else
      put(range.first / width() * tensorfile::bits_per_element(target_) / 8, worker.other);
    totals_.add(piece, std::move(totals));
    progress(range.count);
  }

 private:
  void read(const Range& range, Worker& worker) const {
    const bool split = meta_.coding.wide;
    if (!split) return reader_->read(Plane::codes, {range.first, range.count}, worker, worker.decoded);
    Piece planes;
    for (const Plane plane : {Plane::codes, Plane::high})
      reader_->read(plane, {range.first / 2, range.count / 2}, worker, planes.plane(plane));
    worker.decoded.resize(range.count);
    for (size_t i = 0; i < range.count / 2; ++i) {
      worker.decoded[2 * i] = planes.codes[i];
      worker.decoded[2 * i + 1] = planes.high[i];
    }
  }

  void convert(Worker& worker, PieceTotals& totals) const {
    const Float type = *source_float(target_);
    const uint64_t count = worker.decoded.size() / width();
    const void* values = as_values(meta_.dtype, worker.decoded, worker.values);
    worker.other.resize(count * size_of(type));
    kernels::cast_simd(count, *source_float(meta_.dtype), values, type, worker.other.data(),
                       &totals.saturated);
  }

  std::optional<PlaneReader> reader_;
};

std::vector<std::unique_ptr<Work>> works_of(Decoding& decoding, std::optional<Float> dtype) {
  std::vector<std::unique_ptr<Work>> works;
  const auto& tensors = decoding.model.tensors();
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorMeta& meta = tensors[i].meta;
    const Dtype target = dtype && source_float(meta.dtype) ? dtype_of(*dtype) : meta.dtype;
    if (meta.coding.spec.format == Format::raw)
      works.push_back(std::make_unique<RestoringWork>(decoding, i, target));
    else
      works.push_back(std::make_unique<UnquantizingWork>(decoding, i, target));
  }
  return works;
}

// Adds the tensors up.
class Totalling {
 public:
  void add(const DecodedTensor& tensor) {
    const TensorMeta& meta = tensor.stored->meta;
    model_.tensors += 1;
    model_.in_bytes += tensor.stored->stored_bytes;
    model_.out_bytes += tensor.out_bytes;
    const auto dtype = tensorfile::dtype_name(meta.dtype);
    decoded_.add(meta.name, dtype, meta.shape, tensor.decoded);
    source_.add(meta.name, dtype, meta.shape, tensor.source);
    if (meta.coding.spec.format == Format::raw) return;
    model_.quantized += 1;
    model_.quantized_elems += meta.coding.shape.elems();
    model_.quantized_bytes += tensor.stored->stored_bytes;
    if (!tensor.compared) return;
    model_.signal += tensor.error.signal;
    model_.noise += tensor.error.noise;
    if (model_.worst_tensor.empty() || tensor.error.snr_db < model_.worst_snr_db) {
      model_.worst_snr_db = tensor.error.snr_db;
      model_.worst_tensor = meta.name;
    }
  }
  ModelReport result() {
    model_.decoded_hash = hash_text(decoded_.digest());
    model_.source_hash = hash_text(source_.digest());
    return model_;
  }

 private:
  ModelReport model_;
  ModelHash source_, decoded_;
};

tensorfile::Metadata kept_metadata(const tensorfile::Source& source) {
  tensorfile::Metadata metadata;
  for (size_t shard = 0; shard < source.shards(); ++shard)
    for (const auto& [key, value] : source.shard(shard).metadata)
      if (!key.starts_with("mlq.")) metadata.emplace(key, value);
  return metadata;
}

}  // namespace

ModelReport decode(const StoredModel& model, const std::string& out, const DecodeOptions& options,
                   const DecodeReport& report) {
  Decoding decoding{model, options.resources, nullptr, nullptr, {}, options.strict, {}, 0};
  Totalling totals;
  decoding.finished = [&](DecodedTensor& tensor) {
    if (!tensor.ok)
      throw input_error("{}: tensor {} {}; the file is damaged", tensor.file,
                        tensorfile::in_quotes(tensor.stored->meta.name), tensor.note);
    totals.add(tensor);
    if (report) report(tensor);
  };
  const auto works = works_of(decoding, options.dtype);
  std::vector<Placement> placements;
  for (const StoredTensor& tensor : model.tensors()) {
    const TensorMeta& meta = tensor.meta;
    const Dtype target = options.dtype && source_float(meta.dtype) ? dtype_of(*options.dtype) : meta.dtype;
    placements.push_back({meta.name, {{meta.name, target, meta.shape, {}}}, 0});
  }
  const tensorfile::Metadata metadata = kept_metadata(model.source());
  decoding.writer = std::make_unique<ModelWriter>(out, std::move(placements), metadata,
                                                  WriterOptions{.largest_shard = options.largest_shard});
  ModelReport result;
  if (!run_works(works, options.resources, decoding.turns)) {
    result.interrupted = true;
    return result;
  }
  model.source().check_unchanged();
  result = totals.result();
  if (result.decoded_hash != model.decoded_hash())
    throw input_error("{}: decodes to {}, but {} is stated; the file is damaged", model.source().name(),
                      result.decoded_hash, model.decoded_hash());
  result.shards = decoding.writer->publish(metadata);
  return result;
}

VerifyReport verify(const StoredModel& model, const VerifyOptions& options, const DecodeReport& report) {
  Decoding decoding{model, options.resources, nullptr, options.against, {}, false, {}, 0};
  Totalling totals;
  VerifyReport result;
  decoding.finished = [&](DecodedTensor& tensor) {
    const bool quantized = tensor.stored->meta.coding.spec.format != Format::raw;
    const auto miss = [&](std::string note) {
      tensor.ok = false;
      if (tensor.note.empty()) tensor.note = std::move(note);
    };
    if (quantized && tensor.compared) {
      if (options.budget.snr_db && tensor.error.snr_db < *options.budget.snr_db)
        miss(fmt::format("has {:.2f} dB, below {:g}", tensor.error.snr_db, *options.budget.snr_db));
      if (options.budget.rmse && tensor.error.rmse > *options.budget.rmse)
        miss(fmt::format("has an rmse of {:g}, above {:g}", tensor.error.rmse, *options.budget.rmse));
    }
    result.wrong += tensor.ok ? 0 : 1;
    totals.add(tensor);
    if (report) report(tensor);
  };
  const auto works = works_of(decoding, std::nullopt);
  const bool complete = run_works(works, options.resources, decoding.turns);
  model.source().check_unchanged();
  if (options.against != nullptr) options.against->check_unchanged();
  result.model = totals.result();
  result.model.interrupted = !complete;
  const bool same_source = options.against == nullptr || result.model.source_hash == model.source_hash();
  result.hashes_match = !complete || (result.model.decoded_hash == model.decoded_hash() && same_source);
  return result;
}

}  // namespace mlq::quant
