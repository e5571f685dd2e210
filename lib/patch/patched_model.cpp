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
  std::vector<History> now(patch.layout().tensors.size());
  for (size_t i = 0; i < now.size(); ++i) {
    const tensorfile::TensorInfo& tensor = patch.layout().tensors[i];
    const auto fail = [&](std::string_view why) {
      return input_error("{}: tensor {} {}; the patch is damaged, or for another model", patch.name(),
                         in_quotes(tensor.name), why);
    };
    const PatchFile::Entry* entry = patch.entry(i);
    if (entry != nullptr && entry->change.kind == ChangeKind::raw) {
      now[i].raw = &patch;
      now[i].stored = entry->stored;
    } else {
      const auto was = before.find(tensor.name);
      if (!was) throw fail("is not in what it is to be applied to");
      if (before.tensors[*was].dtype != tensor.dtype || before.tensors[*was].shape != tensor.shape)
        throw fail("has another type or shape in what it is to be applied to");
      now[i] = std::move(histories[*was]);
    }
    if (entry == nullptr) continue;
    now[i].last = {&patch, entry};
    if (entry->change.kind == ChangeKind::lossless)
      now[i].changes.push_back(std::make_unique<DeltaStream>(
          patch.source(), entry->stored, tensor.size_bytes, word_kind(tensor.dtype),
          fmt::format("{}: tensor {}", patch.name(), in_quotes(tensor.name))));
  }
  histories = std::move(now);
}

void PatchedModel::read(size_t tensor, uint64_t piece, quant::Worker& worker,
                        std::vector<std::byte>& out) const {
  const History& history = history_[tensor];
  if (history.raw != nullptr) {
    const quant::Range range = piece_range(layout_.tensors[tensor], piece);
    out.resize(range.count);
    history.raw->source().read(history.stored, range.first, out);
  } else {
    base_.read(*history.base, piece, worker, out);
  }
  for (const auto& change : history.changes) change->apply(piece, out, worker);
}

void PatchedModel::check_unchanged() const {
  base_.check_unchanged();
  for (const PatchFile* patch : patches_) patch->source().check_unchanged();
}

}  // namespace mlq::patch
