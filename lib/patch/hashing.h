// Hashes of models (lib/quant/tree_hash.h), by many threads.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/patch/model.h"
#include "lib/patch/patch_file.h"
#include "lib/quant/encode.h"

namespace mlq::patch {

// The leaves of one tensor, in parts in any order. add() is thread-safe for different parts.
class TensorLeaves {
 public:
  // Room for a tensor of `bytes`.
  void begin(uint64_t bytes);
  // Bytes `offset` ...: whole leaves, but for the last.
  void add(uint64_t offset, std::span<const std::byte> bytes);
  // Of all of it; gives the memory back.
  quant::Digest end();

 private:
  std::vector<uint8_t> digests_;
};

// A tensor's part in the hash of its model.
void add_tensor(quant::ModelHash& hash, const tensorfile::TensorInfo& tensor, const quant::Digest& digest);

struct ModelDigests {
  quant::ModelHash model;
  std::map<std::string, quant::Digest> tensors;
};
// Reads all of a model. Nothing if it was interrupted.
std::optional<ModelDigests> hash_tensors(const Model& model, const quant::Resources& resources);

// Reads all that a patch stores. An input Error if it is not what its content hash says. False if it was
// interrupted.
bool check_content(const PatchFile& patch, const quant::Resources& resources);

}  // namespace mlq::patch
