#include "lib/quant/encode_works.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "kernels/float_convert.h"
#include "lib/base/error.h"
#include "lib/base/random.h"
#include "lib/quant/device_coder.h"
#include "lib/quant/pieces.h"
#include "lib/quant/values.h"

namespace mlq::quant {
namespace {

using tensorfile::Dtype;
using tensorfile::TensorInfo;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kCopiedPiece = uint64_t{16} << 20;  // bytes

// Adds the time until it goes out of scope.
class Busy {
 public:
  explicit Busy(std::atomic<int64_t>& total) : total_(total) {}
  ~Busy() { total_ += std::chrono::nanoseconds(Clock::now() - begin_).count(); }

 private:
  std::atomic<int64_t>& total_;
  Clock::time_point begin_ = Clock::now();
};

// A plane that is appended: the first of a tensor goes to the file at once, the others wait for its end.
struct Appended {
  size_t tensor = 0;  // of the placement
  bool zstd = false;
  std::vector<FrameEntry> entries;
  std::unique_ptr<Spool> waiting;  // of all but the first
  uint64_t bytes = 0;              // written
};

// What the two kinds of works have in common: reading, planes that are appended in turn, the report.
class TensorWork : public Work {
 public:
  TensorWork(Encoding& encoding, size_t index, TensorOutput output)
      : encoding_(encoding),
        index_(index),
        info_(encoding.source.tensors()[index]),
        output_(std::move(output)) {
    for (size_t i = 0; i < output_.planes.size(); ++i) {
      if (!output_.planes[i].tensor.largest_bytes) continue;
      Appended plane{i, output_.planes[i].zstd, {}, nullptr, 0};
      if (!appended_.empty()) plane.waiting = std::make_unique<Spool>(encoding.spool_folder);
      appended_.push_back(std::move(plane));
    }
  }

 protected:
  // Claims the turns of this tensor's pieces; to be called in the order of the works.
  void claim_turns(uint64_t pieces) {
    first_turn_ = encoding_.turn_count;
    if (!appended_.empty()) encoding_.turn_count += pieces;
  }

  Appended* appended(size_t tensor) {
    for (Appended& plane : appended_)
      if (plane.tensor == tensor) return &plane;
    return nullptr;
  }

  // In turn: `parts`, by appended plane, of this piece. With the last piece the planes are ended.
  void append(size_t piece, size_t pieces, const std::vector<std::vector<std::byte>>& parts,
              std::vector<std::vector<FrameEntry>>& entries) {
    if (appended_.empty()) return;
    encoding_.turns.wait_for(first_turn_ + piece);
    for (size_t i = 0; i < appended_.size(); ++i) {
      Appended& plane = appended_[i];
      plane.entries.insert(plane.entries.end(), entries[i].begin(), entries[i].end());
      if (plane.waiting)
        plane.waiting->add(parts[i]);
      else
        put(plane, parts[i]);
    }
    if (piece + 1 == pieces) end_planes();
    encoding_.turns.pass();
  }

  void progress(uint64_t bytes) const {
    if (encoding_.options.resources.progress) encoding_.options.resources.progress(bytes);
  }

  TensorReport base_report() const {
    TensorReport report;
    report.info = info_;
    report.file = encoding_.source.shard(info_.shard).file;
    report.busy_ns = busy_ns_;
    for (size_t i = 0; i < output_.planes.size(); ++i) report.out_bytes += written_bytes(i);
    return report;
  }

  uint64_t written_bytes(size_t tensor) const {
    for (const Appended& plane : appended_)
      if (plane.tensor == tensor) return plane.bytes;
    const auto& declared = output_.planes[tensor].tensor;
    return tensorfile::make_tensor("output", declared.name, declared.dtype, declared.shape).size_bytes;
  }

  void report(TensorReport& report, TensorMeta meta) {
    meta.name = info_.name;
    meta.dtype = info_.dtype;
    meta.shape = info_.shape;
    meta.size_bytes = info_.size_bytes;
    report.hash_source = meta.hash_source = hash_text(report.source);
    report.hash_decoded = meta.hash_decoded = hash_text(report.decoded);
    totals_.clear();
    std::string json = meta_json(meta);
    ModelWriter& writer = *encoding_.writer;
    writer.set_metadata(output_.placement, meta_key(info_.name), json);
    if (encoding_.journal) {
      FinishedTensor finished{report, std::move(json), {}, writer.stored(output_.placement)};
      for (const Appended& plane : appended_) finished.appended.push_back(plane.bytes);
      encoding_.journal->add(std::move(finished), [&] { writer.sync(); });
    }
    encoding_.finished(report);
  }

  Encoding& encoding_;
  const size_t index_;
  const TensorInfo& info_;
  TensorOutput output_;
  TensorTotals totals_;
  std::vector<Appended> appended_;
  std::atomic<int64_t> busy_ns_ = 0;

 private:
  void put(Appended& plane, std::span<const std::byte> bytes) {
    encoding_.writer->append(output_.placement, plane.tensor, bytes);
    plane.bytes += bytes.size();
  }

  void end_planes() {
    for (Appended& plane : appended_) {
      if (plane.waiting) plane.waiting->each([&](std::span<const std::byte> bytes) { put(plane, bytes); });
      plane.waiting.reset();
      if (plane.zstd && !plane.entries.empty()) put(plane, seek_table(plane.entries));
    }
  }

  uint64_t first_turn_ = 0;
};

class QuantizingWork final : public TensorWork {
 public:
  QuantizingWork(Encoding& encoding, size_t index, const Spec& spec, uint64_t piece, TensorOutput output)
      : TensorWork(encoding, index, std::move(output)),
        spec_(spec),
        piece_(piece),
        source_(*source_float(info_.dtype)),
        shape_(as_rows(info_.shape)) {
    claim_turns(pieces());
  }

  size_t pieces() const override { return pieces_of(info_.elems, piece_); }

  void begin() override {
    preparation_.emplace(spec_, source_, shape_, encoding_.options.budget, pieces());
    settle();
  }

  unsigned passes() const override { return preparation_ ? preparation_->passes() + 1 : last_pass_ + 1; }

  void end_pass(unsigned pass) override {
    if (pass < last_pass()) {
      preparation_->end_pass(pass);
      settle();
      return;
    }
    write_tensor_planes();
  }

  void run(unsigned pass, size_t piece, Worker& worker) override {
    const Range range = piece_at(info_.elems, piece_, piece);
    const std::span<const std::byte> bytes = read(range, worker);
    if (pass < last_pass()) {
      worker.compute([&] {
        const Busy busy(busy_ns_);
        preparation_->collect(pass, piece, range, as_values(info_.dtype, bytes, worker.values));
      });
      return;
    }
    encode(piece, range, bytes, worker);
    progress(range.count * element_bytes());
  }

  void end() override {
    TensorReport report = base_report();
    report.coding = coding_;
    report.coding.absmax.clear();
    report.coding.nested_codes.clear();
    report.coding.nested_absmax.clear();
    report.pieces = pieces();
    report.error = totals_.error(info_.elems);
    report.counts = totals_.counts();
    report.saturated = totals_.saturated();
    report.escapes = totals_.escapes();
    report.source = totals_.source_hash();
    report.decoded = totals_.decoded_hash();
    TensorMeta meta;
    meta.coding = report.coding;
    meta.escapes = report.escapes;
    meta.rmse = report.error.rmse;
    meta.rel_rmse = report.error.rel_rmse;
    meta.max_abs_err = report.error.max_abs_err;
    for (const OutPlane& plane : output_.planes) {
      const uint64_t bytes = plane.plane == Plane::escapes ? meta.escapes * size_of(source_)
                                                           : plane_bytes(meta.coding, plane.plane);
      if (bytes > 0) meta.planes.push_back({plane.plane, plane.tensor.name, bytes, plane.zstd});
    }
    TensorWork::report(report, std::move(meta));
    coding_ = plain_ = {};
  }

 private:
  void settle() {
    coding_ = preparation_->coding();
    if (encoding_.options.audit == 0) return;
    plain_ = coding_;
    plain_.plain = true;
  }
  unsigned last_pass() const { return passes() - 1; }
  size_t element_bytes() const { return tensorfile::bits_per_element(info_.dtype) / 8; }

  bool on_device(const Worker& worker) const { return worker.device && info_.dtype != Dtype::f64; }

  std::span<const std::byte> read(const Range& range, Worker& worker) const {
    const size_t size = range.count * element_bytes();
    std::span<std::byte> into;
    if (on_device(worker)) {
      into = worker.device->input(size);
    } else {
      worker.input.resize(size);
      into = worker.input;
    }
    encoding_.source.read(index_, range.first * element_bytes(), into);
    return into;
  }

  void encode(size_t piece, const Range& range, std::span<const std::byte> bytes, Worker& worker) {
    Piece out;
    PieceTotals totals;
    std::vector<std::vector<std::byte>> parts(appended_.size());
    std::vector<std::vector<FrameEntry>> entries(appended_.size());
    worker.compute([&] {
      const Busy busy(busy_ns_);
      const void* values = as_values(info_.dtype, bytes, worker.values);
      if (on_device(worker)) {
        worker.device->encode(coding_, range, out, totals);
        check_counts(range, totals.counts, values, bytes);
        audit_tiles(range, out, values);
      } else {
        encode_piece(coding_, range, values, out, totals.counts);
        check_counts(range, totals.counts, values, bytes);
        compare(range, out, values, bytes, totals, worker);
      }
      transcode(encoding_.options.container, coding_.spec, out.codes);
      for (size_t i = 0; i < appended_.size(); ++i) pack(appended_[i], out, worker, parts[i], entries[i]);
    });
    totals.escapes = out.escape_count;
    totals_.add(piece, std::move(totals));
    for (size_t i = 0; i < output_.planes.size(); ++i) {
      const Plane plane = output_.planes[i].plane;
      if (output_.planes[i].tensor.largest_bytes || !tensor_plane(coding_, plane).empty()) continue;
      encoding_.writer->write(output_.placement, i, plane_extent(coding_, plane, range).offset,
                              out.plane(plane));
    }
    append(piece, pieces(), parts, entries);
  }

  // Calls work(part, values, planes) for each tile of a piece; the planes' escapes begin with the tile's.
  template <class F>
  void each_tile(const Range& range, const Piece& out, const void* values, const F& work) const {
    const uint64_t tile = tile_elems(coding_, info_.dtype, piece_);
    const PieceView whole = view_of(out);
    const auto* from = static_cast<const std::byte*>(values);
    std::span<const std::byte> escapes = whole.escapes;
    for (uint64_t at = 0; at < range.count; at += tile) {
      const Range part{range.first + at, std::min(tile, range.count - at)};
      PieceView view = part_of(coding_, whole, range, part);
      view.escapes = escapes;
      work(part, from + at * size_of(source_), view);
      if (!escapes.empty()) escapes = escapes.subspan(count_escapes(coding_, view) * size_of(source_));
    }
  }

  // Decodes what was encoded, a tile at a time, hashes it and holds it against the source.
  void compare(const Range& range, const Piece& out, const void* values, std::span<const std::byte> bytes,
               PieceTotals& totals, Worker& worker) const {
    totals.source_leaves = leaf_digests(bytes);
    totals.errors.resize(kernels::sum_groups(range.count));
    each_tile(range, out, values, [&](const Range& part, const std::byte* from, const PieceView& view) {
      audit(part, from, view);
      worker.decoded.resize(part.count * size_of(source_));
      decode_piece(coding_, part, view, source_, worker.decoded.data(), &totals.saturated);
      kernels::error_sums_simd(part.count, source_, from, source_, worker.decoded.data(),
                               totals.errors.data() + (part.first - range.first) / kernels::kSumGroup);
      const std::vector<uint8_t> leaves =
          leaf_digests(as_bytes_of(info_.dtype, worker.decoded, worker.other));
      totals.decoded_leaves.insert(totals.decoded_leaves.end(), leaves.begin(), leaves.end());
    });
  }

  void audit_tiles(const Range& range, const Piece& out, const void* values) const {
    if (encoding_.options.audit == 0) return;
    each_tile(range, out, values, [&](const Range& part, const std::byte* from, const PieceView& view) {
      audit(part, from, view);
    });
  }

  // A tile that was drawn is encoded once more.
  void audit(const Range& part, const std::byte* values, const PieceView& made) const {
    const uint64_t tile = part.first / tile_elems(coding_, info_.dtype, piece_);
    if (static_cast<double>(mix64(mix64(index_) + tile) >> 11) >= encoding_.options.audit * 0x1p53) return;
    Piece again;
    kernels::EncodeCounts counts;
    encode_piece(plain_, part, values, again, counts);
    if (!same_planes(view_of(again), made))
      throw environment_error(
          "tensor {}: of elements {} to {} two computations give different bytes; this machine miscomputes",
          tensorfile::in_quotes(info_.name), part.first, part.first + part.count - 1);
    encoding_.audited_elems += part.count;
  }

  void pack(const Appended& plane, Piece& out, Worker& worker, std::vector<std::byte>& bytes,
            std::vector<FrameEntry>& entries) {
    std::vector<std::byte>& raw = out.plane(output_.planes[plane.tensor].plane);
    if (!has_plane(coding_, output_.planes[plane.tensor].plane)) return;
    if (plane.zstd)
      worker.packer.pack(raw, chosen_zstd(raw, worker), bytes, entries);
    else
      bytes = std::move(raw);
  }

  // `automatic` is decided anew for each piece: the result depends on nothing but the piece.
  Zstd chosen_zstd(std::span<const std::byte> raw, Worker& worker) const {
    return spec_.zstd == Zstd::automatic ? worker.packer.better(raw) : spec_.zstd;
  }

  void check_counts(const Range& range, const kernels::EncodeCounts& counts, const void* values,
                    std::span<const std::byte> bytes) const {
    if (counts.nonfinite > 0 && encoding_.options.nonfinite == Nonfinite::error)
      fail_nonfinite(range, values, bytes);
    if (counts.scale_overflow > 0 && coding_.spec.scale == Float::f16)
      throw input_error("{}: tensor {}: a scale is beyond what f16 holds; use --scale bf16", file(),
                        tensorfile::in_quotes(info_.name));
  }

  const std::string& file() const { return encoding_.source.shard(info_.shard).file; }

  [[noreturn]] void fail_nonfinite(const Range& range, const void* values,
                                   std::span<const std::byte> bytes) const {
    uint64_t i = 0;
    while (i + 1 < range.count && std::isfinite(kernels::load(source_, values, i))) ++i;
    std::string bits;
    const size_t width = element_bytes();
    for (size_t byte = width; byte > 0; --byte)
      bits += fmt::format("{:02x}", static_cast<uint8_t>(bytes[i * width + byte - 1]));
    throw input_error(
        "{}: tensor {}: element {} is {} (bits 0x{}); --nonfinite keep stores such tensors as they are",
        file(), tensorfile::in_quotes(info_.name), range.first + i,
        std::isnan(kernels::load(source_, values, i)) ? "NaN" : "infinite", bits);
  }

  // Planes that belong to the tensor as a whole, and what the loaders want beside them.
  void write_tensor_planes() {
    last_pass_ = last_pass();
    totals_.counts().scale_overflow += preparation_->counts().scale_overflow;
    preparation_.reset();
    for (size_t i = 0; i < output_.planes.size(); ++i)
      encoding_.writer->write(output_.placement, i, 0, tensor_plane(coding_, output_.planes[i].plane));
    size_t tensor = output_.planes.size();
    for (const Companion& companion : companions(encoding_.options.container, coding_, info_))
      encoding_.writer->write(output_.placement, tensor++, 0, companion.bytes);
  }

  const Spec spec_;
  const uint64_t piece_;
  const Float source_;
  const Shape2d shape_;
  std::optional<Preparation> preparation_;
  unsigned last_pass_ = 0;
  Coding coding_;
  Coding plain_;  // coding_, for the plain kernels; only if there is an audit
};

class CopyingWork final : public TensorWork {
 public:
  CopyingWork(Encoding& encoding, size_t index, Zstd zstd, std::string why_raw, bool fallback,
              TensorOutput output)
      : TensorWork(encoding, index, std::move(output)),
        zstd_(zstd),
        why_raw_(std::move(why_raw)),
        fallback_(fallback) {
    claim_turns(pieces());
  }

  size_t pieces() const override { return pieces_of(info_.size_bytes, kCopiedPiece); }

  void run(unsigned, size_t piece, Worker& worker) override {
    const Range range = piece_at(info_.size_bytes, kCopiedPiece, piece);
    worker.input.resize(range.count);
    encoding_.source.read(index_, range.first, worker.input);
    PieceTotals totals;
    std::vector<std::vector<std::byte>> parts(appended_.size());
    std::vector<std::vector<FrameEntry>> entries(appended_.size());
    worker.compute([&] {
      const Busy busy(busy_ns_);
      totals.source_leaves = leaf_digests(worker.input);
      for (size_t i = 0; i < appended_.size(); ++i) pack(i, worker, parts[i], entries[i]);
    });
    totals_.add(piece, std::move(totals));
    if (appended_.empty() && !output_.planes.empty())
      encoding_.writer->write(output_.placement, 0, range.first, worker.input);
    append(piece, pieces(), parts, entries);
    progress(range.count);
  }

  void end() override {
    TensorReport report = base_report();
    report.coding.spec = default_spec(Format::raw);
    report.coding.shape = as_rows(info_.shape);
    report.coding.wide = split();
    report.why_raw = why_raw_;
    report.fallback = fallback_;
    report.pieces = pieces();
    report.source = report.decoded = totals_.source_hash();
    TensorMeta meta;
    meta.coding = report.coding;
    for (const OutPlane& plane : output_.planes) {
      const uint64_t bytes = split() ? info_.size_bytes / 2 : info_.size_bytes;
      if (bytes > 0) meta.planes.push_back({plane.plane, plane.tensor.name, bytes, plane.zstd});
    }
    TensorWork::report(report, std::move(meta));
  }

 private:
  bool split() const { return appended_.size() == 2; }

  // Of two planes the first has the low bytes, the other the high ones.
  void pack(size_t which, Worker& worker, std::vector<std::byte>& bytes, std::vector<FrameEntry>& entries) {
    std::span<const std::byte> plane = worker.input;
    if (split()) {
      worker.other.resize(worker.input.size() / 2);
      for (size_t i = 0; i < worker.other.size(); ++i) worker.other[i] = worker.input[2 * i + which];
      plane = worker.other;
    }
    worker.packer.pack(plane, zstd_ == Zstd::automatic ? worker.packer.better(plane) : zstd_, bytes, entries);
  }

  const Zstd zstd_;
  const std::string why_raw_;
  const bool fallback_;
};

}  // namespace

std::unique_ptr<Work> quantizing_work(Encoding& encoding, size_t index, const Spec& spec, uint64_t piece,
                                      TensorOutput output) {
  return std::make_unique<QuantizingWork>(encoding, index, spec, piece, std::move(output));
}

std::unique_ptr<Work> copying_work(Encoding& encoding, size_t index, Zstd zstd, std::string why_raw,
                                   bool fallback, TensorOutput output) {
  return std::make_unique<CopyingWork>(encoding, index, zstd, std::move(why_raw), fallback,
                                       std::move(output));
}

}  // namespace mlq::quant
