#include "lib/patch/apply.h"

#include "lib/base/error.h"
#include "lib/patch/hashing.h"
#include "lib/patch/model_files.h"
#include "lib/quant/run_works.h"

namespace mlq::patch {
namespace {

using tensorfile::TensorInfo;

class WritingWork final : public quant::Work {
 public:
  WritingWork(const PatchedModel& model, size_t tensor, const quant::Resources& resources, ModelFiles& files,
              quant::ModelHash& hash)
      : model_(model),
        tensor_(tensor),
        info_(model.layout().tensors[tensor]),
        resources_(resources),
        files_(files),
        hash_(hash) {}

  size_t pieces() const override { return piece_count(info_); }
  void begin() override { leaves_.begin(info_.size_bytes); }
  void run(unsigned, size_t piece, quant::Worker& worker) override {
    model_.read(tensor_, piece, worker, worker.input);
    const uint64_t offset = piece_range(info_, piece).first;
    worker.compute([&] { leaves_.add(offset, worker.input); });
    files_.write(tensor_, offset, worker.input);
    if (resources_.progress) resources_.progress(worker.input.size());
  }
  void end() override {
    const quant::Digest found = leaves_.end();
    add_tensor(hash_, info_, found);
    const auto [patch, entry] = model_.last_change(tensor_);
    if (entry != nullptr && entry->change.result != found)
      throw input_error("{}: tensor {} becomes {}, but {} is stated; the patch is damaged", patch->name(),
                        tensorfile::in_quotes(info_.name), quant::hash_text(found),
                        quant::hash_text(entry->change.result));
  }

 private:
  const PatchedModel& model_;
  const size_t tensor_;
  const TensorInfo& info_;
  const quant::Resources& resources_;
  ModelFiles& files_;
  quant::ModelHash& hash_;
  TensorLeaves leaves_;
};

// Without progress: that is counted for what is written.
quant::Resources quiet(quant::Resources resources) {
  resources.progress = nullptr;
  return resources;
}

}  // namespace

std::unique_ptr<PatchedModel> checked_model(const Model& base, std::optional<quant::Digest> base_hash,
                                            const std::vector<const PatchFile*>& patches,
                                            const quant::Resources& resources) {
  // Whether they belong together is seen first, for that costs nothing.
  const std::optional<quant::Digest> said =
      base_hash || patches.empty() ? base_hash : patches.front()->parent();
  auto model = std::make_unique<PatchedModel>(base, said, patches);
  for (const PatchFile* patch : patches)
    if (!check_content(*patch, quiet(resources))) return nullptr;
  if (base_hash || patches.empty()) return model;
  const auto hash = hash_tensors(base, quiet(resources));
  if (!hash) return nullptr;
  if (hash->model.digest() != patches.front()->parent())
    throw input_error(
        "{}: is for {}, and {} is {}; name the patches in their order, from the one for the base on",
        patches.front()->name(), quant::hash_text(patches.front()->parent()), base.name(),
        quant::hash_text(hash->model.digest()));
  return model;
}

AppliedReport apply(const Model& base, std::optional<quant::Digest> base_hash,
                    const std::vector<const PatchFile*>& patches, const std::string& out,
                    const quant::Resources& resources) {
  AppliedReport report;
  const auto model = checked_model(base, base_hash, patches, resources);
  report.interrupted = model == nullptr;
  if (report.interrupted) return report;
  const Layout& layout = model->layout();
  ModelFiles files({.out = out, .base = &base}, layout);
  quant::ModelHash hash;
  std::vector<std::unique_ptr<quant::Work>> works;
  for (size_t i = 0; i < layout.tensors.size(); ++i)
    works.push_back(std::make_unique<WritingWork>(*model, i, resources, files, hash));
  quant::Turnstile none;
  if (!quant::run_works(works, resources, none)) {
    report.interrupted = true;
    return report;
  }
  report.result = hash.digest();
  const std::optional<quant::Digest> stated = patches.empty() ? base_hash : patches.back()->result();
  if (stated && report.result != *stated)
    throw input_error("{}: the model becomes {}, but {} is stated; the patch is damaged",
                      patches.empty() ? base.name() : patches.back()->name(), quant::hash_text(report.result),
                      quant::hash_text(*stated));
  model->check_unchanged();
  files.sync();
  const std::vector<std::string> paths = files.publish();
  for (size_t i = 0; i < paths.size(); ++i) report.files.push_back({paths[i], 0, layout.files[i].size_bytes});
  for (const TensorInfo& tensor : layout.tensors) report.files[tensor.shard].tensors += 1;
  report.tensors = layout.tensors.size();
  report.tensor_bytes = layout.tensor_bytes();
  return report;
}

}  // namespace mlq::patch
