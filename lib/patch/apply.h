// Writes the model that a base and patches make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/patch/patched_model.h"
#include "lib/quant/encode.h"

namespace mlq::patch {

struct AppliedReport {
  struct File {
    std::string path;
    uint64_t tensors = 0;
    uint64_t size_bytes = 0;
  };
  std::vector<File> files;
  uint64_t tensors = 0, tensor_bytes = 0;
  quant::Digest result{};
  bool interrupted = false;
};

// The model that `patches`, in their order, make of `base`; to `out`, a file or a folder (model_files.h),
// byte for byte. Before the first byte is written: all that the patches store is read and compared with its
// hashes, and the base's hash with the first patch's parent (not where `base_hash` says what it is). Before
// `out` is replaced: the hash of what was written is compared with what the last patch states. Without
// patches the base is copied.
//
// Errors: input Error where something is damaged or does not belong together, environment Error where reading
// or writing fails; `out` is then left as it was, as it is if it was interrupted.
AppliedReport apply(const Model& base, std::optional<quant::Digest> base_hash,
                    const std::vector<const PatchFile*>& patches, const std::string& out,
                    const quant::Resources& resources);

// What apply() does before it writes: the model, checked. Null if it was interrupted.
std::unique_ptr<PatchedModel> checked_model(const Model& base, std::optional<quant::Digest> base_hash,
                                            const std::vector<const PatchFile*>& patches,
                                            const quant::Resources& resources);

}  // namespace mlq::patch
