// Pairs of models and the patches between them, as files in a test's own folder.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/patch/apply.h"
#include "lib/patch/diff.h"
#include "tests/quant/models.h"

namespace mlq::patch::test {

using quant::test::error_of;
using quant::test::TestTensor;
using quant::test::write_model;
using tensorfile::Dtype;

inline quant::Resources threads(unsigned count) {
  quant::Resources resources;
  resources.threads = count;
  return resources;
}

// The patch from one file or folder to another.
inline PatchReport diff_files(const std::string& base, const std::string& next, const std::string& out,
                              DiffOptions options = {}, std::vector<TensorDiff>* said = nullptr) {
  const tensorfile::Source from = tensorfile::open_source(base), to = tensorfile::open_source(next);
  return diff(SourceModel(from), SourceModel(to), out, options, [&](const TensorDiff& tensor) {
    if (said != nullptr) said->push_back(tensor);
  });
}

inline AppliedReport apply_files(const std::string& base, const std::vector<std::string>& paths,
                                 const std::string& out, unsigned threads_count = 2) {
  const tensorfile::Source from = tensorfile::open_source(base);
  std::vector<PatchFile> patches;
  for (const std::string& path : paths) patches.push_back(open_patch(path));
  std::vector<const PatchFile*> list;
  for (const PatchFile& patch : patches) list.push_back(&patch);
  return apply(SourceModel(from), std::nullopt, list, out, threads(threads_count));
}

inline PatchReport squash_files(const std::string& base, const std::vector<std::string>& paths,
                                const std::string& out, const DiffOptions& options = {}) {
  const tensorfile::Source source = tensorfile::open_source(base);
  const SourceModel from(source);
  std::vector<PatchFile> patches;
  for (const std::string& path : paths) patches.push_back(open_patch(path));
  std::vector<const PatchFile*> list;
  for (const PatchFile& patch : patches) list.push_back(&patch);
  const auto to = checked_model(from, std::nullopt, list, options.resources);
  return diff(from, *to, out, options, {});
}

inline TestTensor raw_tensor(std::string name, Dtype dtype, std::vector<uint64_t> shape,
                             std::string_view bytes) {
  TestTensor tensor{std::move(name), dtype, std::move(shape), std::vector<std::byte>(bytes.size())};
  if (!bytes.empty()) std::memcpy(tensor.bytes.data(), bytes.data(), bytes.size());
  return tensor;
}

}  // namespace mlq::patch::test
