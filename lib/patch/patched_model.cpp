#include "lib/patch/patched_model.h"

#include "lib/base/error.h"

namespace mlq::patch {

using tensorfile::in_quotes;

PatchedModel::PatchedModel(const Model& base, std::optional<quant::Digest> base_hash,
                           std::vector<const PatchFile*> patches)
    : base_(base), patches_(std::move(patches)), name_(base.name()), layout_(base.layout()) {
  history_.resize(layout_.tensors.size());
  for (size_t i = 0; i < history_.size(); ++i) history_[i].base = i;
  const std::string* before = &base.name();
  for (const PatchFile* patch : patches_) {
    if (base_hash && patch->parent() != *base_hash)
      throw input_error(
          "{}: is for {}, and {} is {}; name the patches in their order, from the one for the base on",
          patch->name(), quant::hash_text(patch->parent()), *before, quant::hash_text(*base_hash));
    base_hash = patch->result();
    before = &patch->name();
    follow(layout_, history_, *patch);
    layout_ = patch->layout();
  }
}

void PatchedModel::follow(const Layout& before, std::vector<History>& histories, const PatchFile& patch) {
  std::vector<History> now;
  for (size_t i = 0; i < patch.layout().tensors.size(); ++i)
    now.push_back(followed(before, histories, patch, i));
  histories = std::move(now);
}

// What a tensor of the patch's model comes from; takes it out of `histories`.
PatchedModel::History PatchedModel::followed(const Layout& before, std::vector<History>& histories,
                                             const PatchFile& patch, size_t tensor) const {
  const tensorfile::TensorInfo& info = patch.layout().tensors[tensor];
  const PatchFile::Entry* entry = patch.entry(tensor);
  const auto fail = [&](std::string_view why) {
    return input_error("{}: tensor {} {}; the patch is damaged, or for another model", patch.name(),
                       in_quotes(info.name), why);
  };
  History history;
  tensorfile::Dtype dtype = info.dtype;
  const bool begins =
      entry != nullptr && (entry->change.kind == ChangeKind::raw || entry->change.kind == ChangeKind::key);
  if (!begins) {
    const auto was = before.find(info.name);
    if (!was) throw fail("is not in what it is to be applied to");
    dtype = before.tensors[*was].dtype;
    const bool takes_type = entry != nullptr && is_lossy(entry->change.kind) ? state_float(dtype).has_value()
                                                                             : dtype == info.dtype;
    if (!takes_type || before.tensors[*was].shape != info.shape)
      throw fail("has another type or shape in what it is to be applied to");
    history = std::move(histories[*was]);
  }
  if (entry == nullptr) return history;
  const std::string what = fmt::format("{}: tensor {}", patch.name(), in_quotes(info.name));
  history.last = {&patch, entry};
  if (entry->change.kind == ChangeKind::raw) {
    history.raw = &patch;
    history.stored = entry->stored;
  } else if (is_lossy(entry->change.kind)) {
    const TensorChange& change = entry->change;
    history.changes.emplace_back(
        Lossy{&patch, &change,
              std::make_unique<CodeStream>(patch.source(), entry->stored, change.lossy, change.packed,
                                           info.elems, what),
              dtype, info.dtype, info.elems});
  } else {
    history.changes.emplace_back(std::make_unique<DeltaStream>(patch.source(), entry->stored, info.size_bytes,
                                                               word_kind(info.dtype), what));
  }
  return history;
}

void PatchedModel::read(size_t tensor, uint64_t piece, quant::Worker& worker,
                        std::vector<std::byte>& out) const {
  const History& history = history_[tensor];
  if (history.raw != nullptr) {
    const tensorfile::TensorInfo& stored = history.raw->source().tensors()[history.stored];
    const quant::Range range = piece_range(stored, piece);
    out.resize(range.count);
    history.raw->source().read(history.stored, range.first, out);
  } else if (history.base) {
    base_.read(*history.base, piece, worker, out);
  }
  for (const Change& change : history.changes) {
    if (const auto* stream = std::get_if<std::unique_ptr<DeltaStream>>(&change))
      (*stream)->apply(piece, out, worker);
    else
      apply(std::get<Lossy>(change), piece, worker, out);
  }
}

// As the sender does it: a state of another type is cast, then moved by the codes.
void PatchedModel::apply(const Lossy& change, uint64_t piece, quant::Worker& worker,
                         std::vector<std::byte>& values) const {
  const kernels::Float after = *state_float(change.after);
  change.codes->fetch(piece, worker);
  worker.compute([&] {
    const CodeStream::Piece stored = change.codes->unpack(piece, worker);
    if (change.change->kind == ChangeKind::key)
      values.assign(quant::piece_at(change.elems, kPieceWords, piece).count * size_of(after), std::byte{0});
    else
      cast_state(*state_float(change.before), after, values, worker.other);
    apply_lossy(change.change->lossy, stored.codes, stored.scales, after, values, change.patch->name());
  });
}

void PatchedModel::check_unchanged() const {
  base_.check_unchanged();
  for (const PatchFile* patch : patches_) patch->source().check_unchanged();
}

}  // namespace mlq::patch
