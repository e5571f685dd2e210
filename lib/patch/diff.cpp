#include "lib/patch/diff.h"

#include <memory>
#include <vector>

#include "lib/base/error.h"
#include "lib/patch/delta_stream.h"
#include "lib/patch/hashing.h"
#include "lib/patch/patch_writer.h"
#include "lib/quant/run_works.h"
#include "lib/quant/tensor_meta.h"

namespace mlq::patch {
namespace {

using quant::Worker;
using tensorfile::TensorInfo;

// What the works of all tensors share. The members that are not const change in end(), one work after the
// other.
struct Diffing {
  const Model& base;
  const Model& next;
  const DiffOptions& options;
  const std::function<void(const TensorDiff&)>& report;
  PatchWriter& writer;
  PatchReport result = {};
  quant::ModelHash parent = {}, hash = {};
  quant::FramePacker packer = {};

  void finished(const TensorDiff& tensor) {
    result.elems += tensor.elems;
    result.words += tensor.words;
    result.changed += tensor.changed;
    if (tensor.codec != name_of(PieceCodec::unchanged)) result.changed_tensors += 1;
    if (report) report(tensor);
  }
  void progress(uint64_t bytes) const {
    if (options.resources.progress) options.resources.progress(bytes);
  }
};

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
    kept.frames = std::move(encoded.frames);
    if (!encoded.packed.empty()) kept.where = diffing_.writer.keep(encoded.packed);
    diffing_.progress(worker.decoded.size());
  }
  void end() override {
    const quant::Digest after = after_.end();
    add_tensor(diffing_.parent, diffing_.base.layout().tensors[base_], before_.end());
    add_tensor(diffing_.hash, info_, after);
    TensorDiff said{
        info_.name, name_of(PieceCodec::unchanged), info_.elems, info_.size_bytes / kind_.width, 0, 0};
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
    if (is_new_) diffing_.progress(worker.input.size());
  }
  void end() override {
    const quant::Digest digest = leaves_.end();
    add_tensor(is_new_ ? diffing_.hash : diffing_.parent, info_, digest);
    if (is_new_) {
      diffing_.writer.add(info_, {ChangeKind::raw, digest}, {{}, {}, &model_, tensor_});
      const uint64_t words = info_.size_bytes / word_kind(info_.dtype).width;
      diffing_.finished({info_.name, "raw", info_.elems, words, words, info_.size_bytes});
    } else if (is_said_) {
      diffing_.finished({info_.name, "removed", 0, 0, 0, 0});
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

std::vector<std::unique_ptr<quant::Work>> works_of(Diffing& diffing) {
  const Layout &before = diffing.base.layout(), &after = diffing.next.layout();
  std::vector<std::unique_ptr<quant::Work>> works;
  std::vector<bool> compared(before.tensors.size(), false);
  for (size_t i = 0; i < after.tensors.size(); ++i) {
    const auto was = before.find(after.tensors[i].name);
    if (was && before.tensors[*was].dtype == after.tensors[i].dtype &&
        before.tensors[*was].shape == after.tensors[i].shape) {
      compared[*was] = true;
      works.push_back(std::make_unique<ComparingWork>(diffing, *was, i));
    } else {
      works.push_back(std::make_unique<OnlyOneHasIt>(diffing, diffing.next, i, true, true));
    }
  }
  for (size_t i = 0; i < before.tensors.size(); ++i)
    if (!compared[i])
      works.push_back(std::make_unique<OnlyOneHasIt>(diffing, diffing.base, i, false,
                                                     !after.find(before.tensors[i].name)));
  return works;
}

}  // namespace

PatchReport diff(const Model& base, const Model& next, const std::string& out, const DiffOptions& options,
                 const std::function<void(const TensorDiff&)>& report) {
  PatchWriter writer(out);
  Diffing diffing{base, next, options, report, writer};
  PatchReport& result = diffing.result;
  result.tensors = next.layout().tensors.size();
  result.in_bytes = next.layout().tensor_bytes();
  const auto works = works_of(diffing);
  quant::Turnstile none;
  if (!quant::run_works(works, options.resources, none)) {
    result.interrupted = true;
    return result;
  }
  result.parent = diffing.parent.digest();
  result.result = diffing.hash.digest();
  tensorfile::Metadata metadata;
  metadata[std::string(quant::kVersionKey)] = quant::kMetaVersion;
  metadata[std::string(quant::kKindKey)] = kPatchKind;
  metadata[std::string(kParentKey)] = quant::hash_text(result.parent);
  metadata[std::string(kResultKey)] = quant::hash_text(result.result);
  if (options.step) metadata[std::string(kStepKey)] = fmt::format("{}", *options.step);
  add_layout(next.layout(), metadata);
  result.out_bytes = writer.seal(std::move(metadata));
  base.check_unchanged();
  next.check_unchanged();
  writer.publish();
  return result;
}

}  // namespace mlq::patch
