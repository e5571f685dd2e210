// The model that a base and patches make, without its being made: each piece is read from the base and
// changed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/patch/code_stream.h"
#include "lib/patch/delta_stream.h"
#include "lib/patch/model.h"
#include "lib/patch/patch_file.h"

namespace mlq::patch {

class PatchedModel final : public Model {
 public:
  // Keeps references to all of them. An input Error if a patch is not for what the one before it, or the
  // base, makes: by the hashes that they state, and by types and shapes. `base_hash`: of the base, as
  // computed; checked by the caller where nothing.
  PatchedModel(const Model& base, std::optional<quant::Digest> base_hash,
               std::vector<const PatchFile*> patches);

  const std::string& name() const override { return name_; }
  const Layout& layout() const override { return layout_; }
  void read(size_t tensor, uint64_t piece, quant::Worker& worker, std::vector<std::byte>& out) const override;
  void check_unchanged() const override;

  // The patch that was the last to change a tensor, and what it says of it; nulls if none was.
  struct LastChange {
    const PatchFile* patch = nullptr;
    const PatchFile::Entry* entry = nullptr;
  };
  LastChange last_change(size_t tensor) const { return history_[tensor].last; }

 private:
  // Codes with loss, and the type of the state before them.
  struct Lossy {
    const PatchFile* patch = nullptr;
    const TensorChange* change = nullptr;
    std::unique_ptr<CodeStream> codes;
    tensorfile::Dtype before = {}, after = {};
    uint64_t elems = 0;
  };
  using Change = std::variant<std::unique_ptr<DeltaStream>, Lossy>;
  // Where a tensor comes from: a tensor of the base, one that a patch stores as it is, or zeros, which a key
  // frame changes; and what then changed it.
  struct History {
    std::optional<size_t> base;
    const PatchFile* raw = nullptr;
    size_t stored = 0;
    std::vector<Change> changes;
    LastChange last;
  };
  History followed(const Layout& before, std::vector<History>& histories, const PatchFile& patch,
                   size_t tensor) const;
  void apply(const Lossy& change, uint64_t piece, quant::Worker& worker,
             std::vector<std::byte>& values) const;
  void follow(const Layout& before, std::vector<History>& histories, const PatchFile& patch);

  const Model& base_;
  std::vector<const PatchFile*> patches_;
  std::string name_;
  Layout layout_;
  std::vector<History> history_;  // by tensor
};

}  // namespace mlq::patch
