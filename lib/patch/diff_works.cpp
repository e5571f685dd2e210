#include "lib/patch/diff_works.h"

#include <algorithm>

#include "kernels/sums.h"
#include "lib/base/error.h"
#include "lib/patch/code_stream.h"
#include "lib/patch/delta_stream.h"
#include "lib/patch/hashing.h"
#include "lib/quant/tensor_totals.h"
#include "lib/quant/values.h"

namespace mlq::patch {
namespace {

using quant::Worker;
using tensorfile::TensorInfo;

// A tensor that both have, of one type and shape.
class ComparingWork final : public quant::Work {
 public:
  ComparingWork(Diffing& diffing, size_t base, size_t next)
      : diffing_(diffing),
        base_(base),
        next_(next),
        info_(diffing.next.layout().tensors[next]),
        kind_(word_kind(info_.dtype)) {}

  size_t pieces() const override { return piece_count(info_); }
  void begin() override {
    before_.begin(info_.size_bytes);
    after_.begin(info_.size_bytes);
    pieces_.resize(pieces());
  }
  void run(unsigned, size_t piece, Worker& worker) override {
    diffing_.base.read(base_, piece, worker, worker.input);
    diffing_.next.read(next_, piece, worker, worker.decoded);
    EncodedPiece encoded;
    worker.compute([&] {
      const uint64_t offset = piece_range(info_, piece).first;
      before_.add(offset, worker.input);
      after_.add(offset, worker.decoded);
      encoded = encode_piece(kind_, worker.input, worker.decoded, diffing_.options.codec, worker);
    });
    Piece& kept = pieces_[piece];
    kept.entry = encoded.entry;
    kept.frames = std::move(encoded.sections.frames);
    if (!encoded.sections.packed.empty()) kept.where = diffing_.writer.keep(encoded.sections.packed);
    diffing_.write_state(next_, piece_range(info_, piece).first, worker.decoded);
    diffing_.progress(worker.decoded.size());
  }
  void end() override {
    const quant::Digest after = after_.end();
    add_tensor(diffing_.parent, diffing_.base.layout().tensors[base_], before_.end());
    add_tensor(diffing_.hash, info_, after);
    TensorDiff said{
        info_.name, name_of(PieceCodec::unchanged), info_.elems, info_.size_bytes / kind_.width, 0, 0, false,
        {}};
    PatchWriter::Bytes bytes;
    std::vector<PieceEntry> entries;
    std::vector<quant::FrameEntry> frames;
    for (Piece& piece : pieces_) {
      entries.push_back(piece.entry);
      frames.insert(frames.end(), piece.frames.begin(), piece.frames.end());
      if (piece.entry.codec == PieceCodec::unchanged) continue;
      bytes.kept.push_back(piece.where);
      said.codec = said.changed == 0 || said.codec == name_of(piece.entry.codec) ? name_of(piece.entry.codec)
                                                                                 : std::string_view("mixed");
      said.changed += piece.entry.changed;
    }
    pieces_ = {};
    if (said.changed > 0) store(said, after, std::move(bytes), entries, std::move(frames));
    diffing_.finished(said);
  }

 private:
  // As what changed, or as it is where that is smaller: very small tensors.
  void store(TensorDiff& said, const quant::Digest& after, PatchWriter::Bytes bytes,
             std::span<const PieceEntry> entries, std::vector<quant::FrameEntry> frames) {
    bytes.end = stream_end(entries, std::move(frames), diffing_.packer);
    ChangeKind change = ChangeKind::lossless;
    if (bytes.size() >= info_.size_bytes) {
      change = ChangeKind::raw;
      said.codec = name_of(change);
      bytes = {{}, {}, &diffing_.next, next_};
    }
    said.stored_bytes = bytes.size();
    diffing_.writer.add(info_, {change, after}, std::move(bytes));
  }

  struct Piece {
    PieceEntry entry;
    std::vector<quant::FrameEntry> frames;
    PatchWriter::Extent where;
  };
  Diffing& diffing_;
  const size_t base_, next_;
  const TensorInfo& info_;
  const kernels::WordKind kind_;
  TensorLeaves before_, after_;
  std::vector<Piece> pieces_;
};

// A tensor that only one of them has, or that they have with different types or shapes. Of the new model it
// goes into the patch as it is; of the old one its hash is wanted.
class OnlyOneHasIt final : public quant::Work {
 public:
  OnlyOneHasIt(Diffing& diffing, const Model& model, size_t tensor, bool is_new, bool is_said)
      : diffing_(diffing),
        model_(model),
        tensor_(tensor),
        is_new_(is_new),
        is_said_(is_said),
        info_(model.layout().tensors[tensor]) {}

  size_t pieces() const override { return piece_count(info_); }
  void begin() override { leaves_.begin(info_.size_bytes); }
  void run(unsigned, size_t piece, Worker& worker) override {
    model_.read(tensor_, piece, worker, worker.input);
    worker.compute([&] { leaves_.add(piece_range(info_, piece).first, worker.input); });
    if (!is_new_) return;
    diffing_.write_state(tensor_, piece_range(info_, piece).first, worker.input);
    diffing_.progress(worker.input.size());
  }
  void end() override {
    const quant::Digest digest = leaves_.end();
    add_tensor(is_new_ ? diffing_.hash : diffing_.parent, info_, digest);
    if (is_new_) {
      diffing_.writer.add(info_, {ChangeKind::raw, digest}, {{}, {}, &model_, tensor_});
      const uint64_t words = info_.size_bytes / word_kind(info_.dtype).width;
      diffing_.finished({info_.name, "raw", info_.elems, words, words, info_.size_bytes, false, {}});
    } else if (is_said_) {
      diffing_.finished({info_.name, "removed", 0, 0, 0, 0, false, {}});
    }
  }

 private:
  Diffing& diffing_;
  const Model& model_;
  const size_t tensor_;
  const bool is_new_, is_said_;
  const TensorInfo& info_;
  TensorLeaves leaves_;
};

// A tensor that goes with loss.
class LossyWork final : public quant::Work {
 public:
  LossyWork(Diffing& diffing, std::optional<size_t> base, size_t next)
      : diffing_(diffing),
        base_(base),
        next_(next),
        info_(diffing.next.layout().tensors[next]),
        state_info_(diffing.state_layout->tensors[*diffing.state_layout->find(info_.name)]),
        source_(*state_float(info_.dtype)),
        state_(*state_float(state_info_.dtype)),
        spec_(base ? diffing.options.lossy->spec : diffing.options.lossy->key) {}

  size_t pieces() const override { return piece_count(info_); }
  void begin() override { pieces_.resize(pieces()); }
  void run(unsigned, size_t piece, Worker& worker) override {
    const quant::Range range = quant::piece_at(info_.elems, kPieceWords, piece);
    quant::PieceTotals totals;
    if (base_) {
      diffing_.base.read(*base_, piece, worker, worker.input);
    } else {
      worker.input.assign(range.count * size_of(state_), std::byte{0});
    }
    diffing_.next.read(next_, piece, worker, worker.decoded);
    LossyPiece coded;
    PackedSections packed;
    worker.compute([&] {
      if (base_) take_base(worker, totals);
      coded = encode_lossy(spec_, source_, worker.decoded, state_, worker.input);
      if (coded.counts.nonfinite > 0) fail(diffing_.next);
      totals.decoded_leaves = quant::leaf_digests(worker.input);
      totals.errors.resize(kernels::sum_groups(range.count));
      kernels::error_sums_simd(range.count, source_, worker.decoded.data(), state_, worker.input.data(),
                               totals.errors.data());
      if (diffing_.options.lossy->pack) packed = pack_codes(spec_, coded, worker);
    });
    keep(pieces_[piece], coded, std::move(packed));
    diffing_.write_state(next_, range.first * size_of(state_), worker.input);
    diffing_.progress(worker.decoded.size());
    totals_.add(piece, std::move(totals));
  }
  void end() override {
    if (base_) add_tensor(diffing_.parent, diffing_.base.layout().tensors[*base_], totals_.source_hash());
    const quant::TensorTotals::Error error = totals_.error(info_.elems);
    if (base_ && error.rel_rmse > diffing_.options.lossy->rekey_above) {
      diffing_.to_rekey.push_back(next_);
    } else {
      store(error);
    }
    totals_.clear();
    pieces_ = {};
  }

 private:
  // In one form or both.
  struct Piece {
    bool is_plain = false;
    PatchWriter::Extent codes, scales, packed;
    std::vector<quant::FrameEntry> frames;
  };

  // Plain codes are of use only if those of all pieces are not larger.
  void keep(Piece& piece, const LossyPiece& coded, PackedSections sections) const {
    const uint64_t size = sections.packed.size() + quant::seek_table_bytes(sections.frames.size());
    piece.is_plain = sections.frames.empty() || size >= coded.codes.size() + coded.scales.size();
    if (piece.is_plain) {
      piece.codes = diffing_.writer.keep(coded.codes);
      piece.scales = diffing_.writer.keep(coded.scales);
    }
    piece.packed = diffing_.writer.keep(sections.packed);
    piece.frames = std::move(sections.frames);
  }

  PatchWriter::Bytes stored() const {
    PatchWriter::Bytes bytes;
    if (is_plain()) {
      for (const Piece& piece : pieces_) bytes.kept.push_back(piece.codes);
      for (const Piece& piece : pieces_) bytes.kept.push_back(piece.scales);
      return bytes;
    }
    std::vector<quant::FrameEntry> frames;
    for (const Piece& piece : pieces_) {
      bytes.kept.push_back(piece.packed);
      frames.insert(frames.end(), piece.frames.begin(), piece.frames.end());
    }
    bytes.end = quant::seek_table(frames);
    return bytes;
  }
  bool is_plain() const { return std::ranges::all_of(pieces_, &Piece::is_plain); }

  // The base's part in its model's hash; then, as values of the state's type, what the loop begins with.
  void take_base(Worker& worker, quant::PieceTotals& totals) const {
    const kernels::Float before = *state_float(diffing_.base.layout().tensors[*base_].dtype);
    totals.source_leaves = quant::leaf_digests(worker.input);
    if (count_nonfinite(before, worker.input) > 0) fail(diffing_.base);
    cast_state(before, state_, worker.input, worker.other);
  }

  [[noreturn]] void fail(const Model& model) const {
    throw input_error(
        "{}: tensor {} has NaN or infinite values, which cannot be coded; without --bits it goes as it is",
        model.name(), tensorfile::in_quotes(info_.name));
  }

  void store(const quant::TensorTotals::Error& error) {
    const quant::Digest digest = totals_.decoded_hash();
    add_tensor(diffing_.hash, state_info_, digest);
    PatchWriter::Bytes bytes = stored();
    const ChangeKind kind = base_ ? ChangeKind::delta : ChangeKind::key;
    diffing_.result.signal += error.signal;
    diffing_.result.noise += error.noise;
    const uint64_t size = bytes.size();
    diffing_.writer.add(state_info_, {kind, digest, spec_, !is_plain()}, std::move(bytes));
    diffing_.finished(
        {info_.name, name_of(kind), info_.elems, info_.elems, info_.elems, size, !base_, error.rel_rmse});
  }

  Diffing& diffing_;
  const std::optional<size_t> base_;
  const size_t next_;
  const TensorInfo &info_, &state_info_;
  const kernels::Float source_, state_;
  const LossySpec spec_;
  quant::TensorTotals totals_;
  std::vector<Piece> pieces_;
};

}  // namespace

std::unique_ptr<quant::Work> comparing_work(Diffing& diffing, size_t base, size_t next) {
  return std::make_unique<ComparingWork>(diffing, base, next);
}
std::unique_ptr<quant::Work> new_work(Diffing& diffing, size_t next) {
  return std::make_unique<OnlyOneHasIt>(diffing, diffing.next, next, true, true);
}
std::unique_ptr<quant::Work> old_work(Diffing& diffing, size_t base, bool removed) {
  return std::make_unique<OnlyOneHasIt>(diffing, diffing.base, base, false, removed);
}
std::unique_ptr<quant::Work> lossy_work(Diffing& diffing, size_t base, size_t next) {
  return std::make_unique<LossyWork>(diffing, base, next);
}
std::unique_ptr<quant::Work> key_work(Diffing& diffing, size_t next) {
  return std::make_unique<LossyWork>(diffing, std::nullopt, next);
}

}  // namespace mlq::patch
