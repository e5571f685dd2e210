#include "lib/gather/state_file.h"

#include <filesystem>

#include "lib/base/error.h"
#include "lib/base/units.h"
#include "lib/quant/tensor_meta.h"
#include "lib/quant/tree_hash.h"
#include "lib/quant/values.h"
#include "lib/tensorfile/sink.h"

namespace mlq::gather {
namespace {

constexpr std::string_view kStateKind = "state";
constexpr std::string_view kStepKey = "mlq.step", kChainKey = "mlq.chain", kResultKey = "mlq.result_hash";

std::vector<uint64_t> shape_of(const StateTensor& tensor) {
  return {tensor.bytes.size() * 8 / tensorfile::bits_per_element(tensor.dtype)};
}

std::string hash_of(const State& state) {
  quant::ModelHash hash;
  for (const StateTensor& tensor : state.tensors)
    hash.add(tensor.name, tensorfile::dtype_name(tensor.dtype), shape_of(tensor),
             quant::tensor_hash(quant::leaf_digests(tensor.bytes)));
  return quant::hash_text(hash.digest());
}

const std::string& entry(const tensorfile::Shard& shard, std::string_view key) {
  const auto at = shard.metadata.find(key);
  if (at == shard.metadata.end())
    throw input_error("{}: is no state of a gather: it has no {}", shard.file, key);
  return at->second;
}

}  // namespace

std::string state_path(const std::string& path, unsigned generation) {
  return fmt::format("{}.{}", path, generation);
}

void remove_states(const std::string& path) {
  for (unsigned generation = 0; generation < 2; ++generation) {
    const std::string file = state_path(path, generation);
    std::error_code error;
    std::filesystem::remove(file, error);
    if (error) throw environment_error("{}: cannot remove: {}", file, error.message());
  }
}

void write_state(const std::string& file, const State& state) {
  std::vector<tensorfile::Declaration> declared;
  for (const StateTensor& tensor : state.tensors)
    declared.push_back({tensor.name, tensor.dtype, shape_of(tensor), {}});
  tensorfile::Metadata metadata;
  metadata.emplace(quant::kVersionKey, quant::kMetaVersion);
  metadata.emplace(quant::kKindKey, kStateKind);
  metadata.emplace(kStepKey, fmt::format("{}", state.step));
  metadata.emplace(kChainKey, state.chain);
  metadata.emplace(kResultKey, state.hash);
  metadata.emplace(quant::kDecodedHashKey, hash_of(state));
  tensorfile::SafetensorsSink sink(file, std::move(declared), metadata);
  for (size_t i = 0; i < state.tensors.size(); ++i)
    if (!state.tensors[i].bytes.empty()) sink.write(i, 0, state.tensors[i].bytes);
  sink.finish();
}

State parse_state(const tensorfile::Source& source) {
  const tensorfile::Shard& shard = source.shard(0);
  const std::string& file = shard.file;
  if (entry(shard, quant::kKindKey) != kStateKind)
    throw input_error("{}: is no state of a gather, but of kind {}", file, entry(shard, quant::kKindKey));
  State state;
  try {
    state.step = parse_count(entry(shard, kStepKey));
  } catch (const Error& error) {
    throw input_error("{}: {}: {}", file, kStepKey, error.what());
  }
  state.chain = entry(shard, kChainKey);
  state.hash = entry(shard, kResultKey);
  for (size_t i = 0; i < source.tensors().size(); ++i) {
    const auto& info = source.tensors()[i];
    StateTensor tensor{info.name, info.dtype, std::vector<std::byte>(info.size_bytes)};
    if (!tensor.bytes.empty()) source.read(i, 0, tensor.bytes);
    state.tensors.push_back(std::move(tensor));
  }
  if (hash_of(state) != entry(shard, quant::kDecodedHashKey))
    throw input_error("{}: its tensors have hash {}, not {} as it says; the file is damaged", file,
                      hash_of(state), entry(shard, quant::kDecodedHashKey));
  return state;
}

std::optional<State> read_state(const std::string& file) {
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return std::nullopt;
  return parse_state(tensorfile::open_source(file));
}

}  // namespace mlq::gather
