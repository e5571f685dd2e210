// Makes a patch: what leads from one model to the next, without loss or, in a closed loop, with.
//
// With loss the base is what receivers hold, and the patch leads to another state that they then hold: near
// to the next model, and known to the sender to the last bit. It is written beside the patch and is the base
// of the next one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "lib/patch/model.h"
#include "lib/patch/patch_file.h"
#include "lib/quant/encode.h"

namespace mlq::patch {

// How to make a patch with loss. Floats (F64 aside) of at least `min_elems` elements are coded; other tensors
// go without loss.
struct LossyOptions {
  LossySpec spec = {{4, kernels::Grid::sign, kernels::Float::bf16, false}, 64};
  LossySpec key = {{8, kernels::Grid::absmax, kernels::Float::bf16, false}, 64};
  bool key_frame = false;               // code all of them by `key`, without the base
  double rekey_above = 0.02;            // code those by `key` whose rel_rmse would be larger
  std::optional<kernels::Float> state;  // type of the state; nothing: that of each tensor
  uint64_t min_elems = 4096;
  bool pack = true;       // compress the codes of a tensor where that makes them smaller
  std::string next_base;  // where the state goes: a file or a folder (model_files.h)
};

struct DiffOptions {
  std::optional<PieceCodec> codec;  // of what changed; nothing: chosen for each piece (piece_codec.h)
  std::optional<uint64_t> step;     // said in the patch
  std::optional<LossyOptions> lossy;
  std::optional<quant::Digest> parent;  // what the base must be; an input Error if it is not
  quant::Resources resources;
};

// What became of one tensor.
struct TensorDiff {
  std::string name;
  std::string_view codec;  // of its pieces that changed; "mixed" if they have several, "unchanged", "raw",
                           // "removed", with loss "delta" and "key"
  uint64_t elems = 0;      // of the new tensor; 0 if it was removed
  uint64_t words = 0;      // that are compared: its elements, or bytes and halves of those that are no words
  uint64_t changed = 0;    // words; of a tensor with loss all
  uint64_t stored_bytes = 0;
  bool key_frame = false;
  std::optional<double> rel_rmse;  // with loss: of the state, as a copy of the new tensor
};

struct PatchReport {
  uint64_t tensors = 0, changed_tensors = 0;  // of the new model; those that the patch says something of
  uint64_t elems = 0, words = 0, changed = 0;
  uint64_t in_bytes = 0;         // of the new model's tensors
  uint64_t out_bytes = 0;        // of the patch
  double signal = 0, noise = 0;  // energies of what went with loss
  quant::Digest parent{}, result{};
  bool interrupted = false;
};

// From `base` to `next`, to the file `out`, which is there whole or not at all and has the same bytes for any
// number of threads. `report` is called for each tensor, in the order of `next`, then for those that are
// removed, then for those that have become key frames by their errors; by one thread at a time. Errors: input
// Error for models that no patch can be made of (with loss, NaN and infinities too), environment Error where
// reading or writing fails. With an error, or if it was interrupted, the old files are left as they were.
//
// With loss a patch that leads to the base is not replaced (a usage Error), and the new one takes its place
// before the state does. Whoever is killed in between has a patch and the old base: making the same patch
// again gives the same bytes, and so does applying it to the base.
PatchReport diff(const Model& base, const Model& next, const std::string& out, const DiffOptions& options,
                 const std::function<void(const TensorDiff&)>& report);

}  // namespace mlq::patch
