// A model in several files, as the tools around safetensors cut and name them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mlq::tensorfile {

// Cuts a list of sizes into shards of at most `largest_bytes`, in order; returns the shard of each, from 0.
// Rule of huggingface_hub (serialization/_base.py, split_state_dict_into_shards_factory): a shard is closed
// when the next tensor does not fit, and a tensor larger than a shard gets one of its own, beside the one
// being filled.
std::vector<size_t> cut_into_shards(std::span<const uint64_t> sizes, uint64_t largest_bytes);

// `model-00002-of-00005.safetensors` for index 1 of 5 of `model.safetensors`; `model.safetensors` for the
// only one. The ending `.safetensors` (or `.mlq.safetensors`) stays at the end.
std::string shard_file_name(std::string_view name, size_t index, size_t shards);

// `model.safetensors.index.json`.
std::string index_file_name(std::string_view name);
// The only file of a model in a folder; its index_file_name() is that of shards.
inline constexpr std::string_view kModelFile = "model.safetensors";

// Which of the files of a folder its model is read from: of `model.safetensors.index.json`,
// `model.safetensors` and all others that end in `.safetensors` and are not hidden, the first that are there;
// sorted. `names`: of all files in it, without the folder.
std::vector<std::string> model_in_folder(std::span<const std::string> names);

// Writes the index of shards at `path`, whole or not at all: a tensor and its file each; `total_bytes` counts
// the tensors' bytes, not the headers'. Errors as Output's.
void write_shard_index(const std::string& path, uint64_t total_bytes,
                       std::vector<std::pair<std::string, std::string>> weight_map);

}  // namespace mlq::tensorfile
