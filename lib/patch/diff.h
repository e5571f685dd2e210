// Makes a patch: what leads from one model to the next, without loss.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "lib/patch/model.h"
#include "lib/patch/patch_file.h"
#include "lib/quant/encode.h"

namespace mlq::patch {

struct DiffOptions {
  std::optional<PieceCodec> codec;  // of what changed; nothing: chosen for each piece (piece_codec.h)
  std::optional<uint64_t> step;     // said in the patch
  quant::Resources resources;
};

// What became of one tensor.
struct TensorDiff {
  std::string name;
  std::string_view
      codec;  // of its pieces that changed; "mixed" if they have several, "unchanged", "raw", "removed"
  uint64_t elems = 0;    // of the new tensor; 0 if it was removed
  uint64_t words = 0;    // that are compared: its elements, or bytes and halves of those that are no words
  uint64_t changed = 0;  // words
  uint64_t stored_bytes = 0;
};

struct PatchReport {
  uint64_t tensors = 0, changed_tensors = 0;  // of the new model; those that the patch says something of
  uint64_t elems = 0, words = 0, changed = 0;
  uint64_t in_bytes = 0;   // of the new model's tensors
  uint64_t out_bytes = 0;  // of the patch
  quant::Digest parent{}, result{};
  bool interrupted = false;
};

// From `base` to `next`, to the file `out`, which is there whole or not at all and has the same bytes for any
// number of threads. `report` is called for each tensor, in the order of `next`, then for those that are
// removed, by one thread at a time. Errors: input Error for models that no patch can be made of, environment
// Error where reading or writing fails. With an error, or if it was interrupted, the old file is left as it
// was.
PatchReport diff(const Model& base, const Model& next, const std::string& out, const DiffOptions& options,
                 const std::function<void(const TensorDiff&)>& report);

}  // namespace mlq::patch
