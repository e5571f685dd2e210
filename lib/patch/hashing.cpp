#include "lib/patch/hashing.h"

#include <algorithm>
#include <memory>

#include "kernels/xxh3_leaves.h"
#include "lib/base/error.h"
#include "lib/quant/run_works.h"
#include "lib/quant/values.h"

namespace mlq::patch {
namespace {

constexpr uint64_t kDigestBytes = 16;

class HashWork final : public quant::Work {
 public:
  HashWork(const Model& model, size_t tensor, const quant::Resources& resources, ModelDigests& digests)
      : model_(model),
        tensor_(tensor),
        info_(model.layout().tensors[tensor]),
        resources_(resources),
        digests_(digests) {}
  void begin() override { leaves_.begin(info_.size_bytes); }
  size_t pieces() const override { return piece_count(info_); }
  void run(unsigned, size_t piece, quant::Worker& worker) override {
    model_.read(tensor_, piece, worker, worker.input);
    worker.compute([&] { leaves_.add(piece_range(info_, piece).first, worker.input); });
    if (resources_.progress) resources_.progress(worker.input.size());
  }
  void end() override {
    const quant::Digest digest = leaves_.end();
    add_tensor(digests_.model, info_, digest);
    digests_.tensors.emplace(info_.name, digest);
  }

 private:
  const Model& model_;
  const size_t tensor_;
  const tensorfile::TensorInfo& info_;
  const quant::Resources& resources_;
  ModelDigests& digests_;
  TensorLeaves leaves_;
};

}  // namespace

void TensorLeaves::begin(uint64_t bytes) {
  digests_.resize((bytes + kernels::kHashLeaf - 1) / kernels::kHashLeaf * kDigestBytes);
}

void TensorLeaves::add(uint64_t offset, std::span<const std::byte> bytes) {
  std::ranges::copy(quant::leaf_digests(bytes),
                    digests_.begin() + static_cast<ptrdiff_t>(offset / kernels::kHashLeaf * kDigestBytes));
}

quant::Digest TensorLeaves::end() {
  const quant::Digest digest = quant::tensor_hash(digests_);
  digests_ = {};
  return digest;
}

void add_tensor(quant::ModelHash& hash, const tensorfile::TensorInfo& tensor, const quant::Digest& digest) {
  hash.add(tensor.name, tensorfile::dtype_name(tensor.dtype), tensor.shape, digest);
}

std::optional<ModelDigests> hash_tensors(const Model& model, const quant::Resources& resources) {
  ModelDigests digests;
  std::vector<std::unique_ptr<quant::Work>> works;
  for (size_t i = 0; i < model.layout().tensors.size(); ++i)
    works.push_back(std::make_unique<HashWork>(model, i, resources, digests));
  quant::Turnstile none;
  if (!quant::run_works(works, resources, none)) return std::nullopt;
  return digests;
}

bool check_content(const PatchFile& patch, const quant::Resources& resources) {
  const auto stored = hash_tensors(SourceModel(patch.source()), resources);
  if (!stored) return false;
  const quant::Digest found = content_hash(patch.source().shard(0).metadata, stored->model);
  if (found != patch.content())
    throw input_error("{}: holds {}, but {} is stated; the patch is damaged", patch.name(),
                      quant::hash_text(found), quant::hash_text(patch.content()));
  return true;
}

}  // namespace mlq::patch
