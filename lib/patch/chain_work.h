// What is done with chains: models read from them, added to them, and all of one verified.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/patch/apply.h"
#include "lib/patch/chain.h"
#include "lib/patch/diff.h"

namespace mlq::patch {

// The files of a path, opened.
class ChainFiles {
 public:
  // A path without an anchor leads on from a model that the caller has. Errors as open_source()'s and
  // PatchFile's; an input Error if a patch is not what its link says.
  ChainFiles(const Chain& chain, const ChainPath& path);

  // Null for a path without an anchor.
  const Model* anchor() const { return anchor_.get(); }
  // What the anchor's link says of it.
  const std::optional<quant::Digest>& anchor_hash() const { return anchor_hash_; }
  std::vector<const PatchFile*> patches() const;
  // What all of them make of the anchor. Checked as far as the links and headers go.
  PatchedModel model() const;

 private:
  std::unique_ptr<tensorfile::Source> source_;
  std::unique_ptr<SourceModel> anchor_;
  std::optional<quant::Digest> anchor_hash_;
  std::vector<PatchFile> patches_;
};

struct AddOptions {
  uint64_t step = 0;
  bool anchor = false;                   // as a whole model too
  std::optional<uint64_t> anchor_every;  // so too once that many patches have followed the last one
  std::optional<PieceCodec> codec;
  quant::Resources resources;
};

struct AddReport {
  std::vector<Link> links;           // that were added
  std::optional<PatchReport> patch;  // none for the first model of a chain
  bool interrupted = false;
};

// Adds a model: a patch from the last model of the chain, without loss; the first model as an anchor. Whoever
// is killed leaves a chain as it was, or with what the first so many links say.
AddReport add_model(Chain& chain, const Model& model, const AddOptions& options,
                    const std::function<void(const TensorDiff&)>& report);
// Adds a patch that was made for the last model of the chain, as a copy of its file. An input Error if it is
// for another one, or damaged.
AddReport add_patch(Chain& chain, const PatchFile& patch, const AddOptions& options);

struct VerifiedLink {
  const Link* link = nullptr;
  std::string wrong;  // empty: it is as stated
};
// Reads all of a chain: every anchor, every patch, and the model that the last patch before an anchor, or of
// the chain, makes; the hashes of the models between them follow from those of their tensors. `report` for
// each link, in order. False if it was interrupted.
bool verify_chain(const Chain& chain, const quant::Resources& resources,
                  const std::function<void(const VerifiedLink&)>& report);

}  // namespace mlq::patch
