#include "lib/patch/diff.h"

#include <filesystem>
#include <memory>
#include <vector>

#include "lib/base/error.h"
#include "lib/patch/diff_works.h"
#include "lib/quant/run_works.h"
#include "lib/quant/tensor_meta.h"

namespace mlq::patch {
namespace {

using tensorfile::Dtype;
using tensorfile::TensorInfo;
using Works = std::vector<std::unique_ptr<quant::Work>>;

bool goes_with_loss(const DiffOptions& options, const TensorInfo& tensor) {
  return options.lossy && tensor.elems >= options.lossy->min_elems && state_float(tensor.dtype);
}

// Of the model that receivers hold afterwards.
Layout state_layout(const Layout& next, const DiffOptions& options) {
  std::vector<Dtype> dtypes;
  bool same = true;
  for (const TensorInfo& tensor : next.tensors) {
    dtypes.push_back(tensor.dtype);
    if (!options.lossy || !options.lossy->state || !goes_with_loss(options, tensor)) continue;
    dtypes.back() = dtype_of(*options.lossy->state);
    same &= dtypes.back() == tensor.dtype;
  }
  return same ? next : retyped(next, dtypes);
}

Works works_of(Diffing& diffing) {
  const Layout &before = diffing.base.layout(), &after = diffing.next.layout();
  Works works;
  std::vector<bool> hashed(before.tensors.size(), false);
  for (size_t i = 0; i < after.tensors.size(); ++i) {
    const TensorInfo& tensor = after.tensors[i];
    const auto was = before.find(tensor.name);
    const bool same_shape = was && before.tensors[*was].shape == tensor.shape;
    if (goes_with_loss(diffing.options, tensor)) {
      const bool follows =
          same_shape && !diffing.options.lossy->key_frame && state_float(before.tensors[*was].dtype);
      if (follows) hashed[*was] = true;
      works.push_back(follows ? lossy_work(diffing, *was, i) : key_work(diffing, i));
    } else if (same_shape && before.tensors[*was].dtype == tensor.dtype) {
      hashed[*was] = true;
      works.push_back(comparing_work(diffing, *was, i));
    } else {
      works.push_back(new_work(diffing, i));
    }
  }
  for (size_t i = 0; i < before.tensors.size(); ++i)
    if (!hashed[i]) works.push_back(old_work(diffing, i, !after.find(before.tensors[i].name)));
  return works;
}

// False if it was interrupted.
bool run(Diffing& diffing) {
  quant::Turnstile none;
  if (!quant::run_works(works_of(diffing), diffing.options.resources, none)) return false;
  Works again;
  for (const size_t tensor : diffing.to_rekey) again.push_back(key_work(diffing, tensor));
  return quant::run_works(again, diffing.options.resources, none);
}

// With loss the base may have been replaced by what a patch leads to, and the command be given again by
// somebody who did not see it end: the patch that it would replace is the only one that leads here.
void refuse_to_lose(const std::string& out, const quant::Digest& parent) {
  std::error_code none;
  if (out == "-" || !std::filesystem::is_regular_file(out, none)) return;
  std::optional<PatchFile> old;
  try {
    old.emplace(open_patch(out));
  } catch (const Error&) {
    return;  // what is no patch, or a damaged one
  }
  if (old->result() == parent && old->parent() != parent)
    throw usage_error("-o: {} is the patch that leads to this base; give the next one another name", out);
}

tensorfile::Metadata metadata_of(const PatchReport& report, const DiffOptions& options,
                                 const Layout& layout) {
  tensorfile::Metadata metadata;
  metadata[std::string(quant::kVersionKey)] = quant::kMetaVersion;
  metadata[std::string(quant::kKindKey)] = kPatchKind;
  metadata[std::string(kParentKey)] = quant::hash_text(report.parent);
  metadata[std::string(kResultKey)] = quant::hash_text(report.result);
  if (options.step) metadata[std::string(kStepKey)] = fmt::format("{}", *options.step);
  add_layout(layout, metadata);
  return metadata;
}

// Both appear, or none. Renaming hardly fails; a stream may, so it goes first. But a base that is replaced by
// what the patch leads to must not be gone while the patch is not there: without that, the command can be
// given again.
void publish_both(PatchWriter& writer, ModelFiles& state, const std::string& out,
                  const std::string& next_base) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (state.is_stream() && !fs::is_regular_file(next_base, none)) {
    state.publish();
    try {
      writer.publish();
    } catch (...) {
      if (fs::is_regular_file(next_base, none)) fs::remove(next_base, none);
      throw;
    }
    return;
  }
  writer.publish();
  try {
    state.publish();
  } catch (const Error& error) {
    throw environment_error("{}; {} is there without it: give the same command again", error.what(), out);
  }
}

}  // namespace

PatchReport diff(const Model& base, const Model& next, const std::string& out, const DiffOptions& options,
                 const std::function<void(const TensorDiff&)>& report) {
  if (options.lossy) {
    validate(options.lossy->spec);
    validate(options.lossy->key);
  }
  PatchWriter writer(out);
  const Layout state = state_layout(next.layout(), options);
  std::optional<ModelFiles> state_files;
  if (options.lossy) state_files.emplace(ModelPlace{options.lossy->next_base, "--next-base", &base}, state);
  Diffing diffing{base, next, options, report, writer};
  diffing.state_layout = &state;
  diffing.state_files = state_files ? &*state_files : nullptr;
  PatchReport& result = diffing.result;
  result.tensors = next.layout().tensors.size();
  result.in_bytes = next.layout().tensor_bytes();
  if (!run(diffing)) {
    result.interrupted = true;
    return result;
  }
  result.parent = diffing.parent.digest();
  result.result = diffing.hash.digest();
  if (options.parent && result.parent != *options.parent)
    throw input_error("{}: is {}, but {} is stated; it is damaged", base.name(),
                      quant::hash_text(result.parent), quant::hash_text(*options.parent));
  if (options.lossy) refuse_to_lose(out, result.parent);
  result.out_bytes = writer.seal(metadata_of(result, options, state));
  if (state_files) state_files->sync();
  base.check_unchanged();
  next.check_unchanged();
  if (state_files)
    publish_both(writer, *state_files, out, options.lossy->next_base);
  else
    writer.publish();
  return result;
}

}  // namespace mlq::patch
