#include "lib/patch/chain_work.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "lib/base/error.h"
#include "lib/base/folder.h"
#include "lib/patch/hashing.h"
#include "lib/tensorfile/part_file.h"

namespace mlq::patch {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kCopied = uint64_t{8} << 20;

PatchFile open_link(const Chain& chain, const Link& link) {
  PatchFile patch = open_patch(chain.path_of(link));
  if (patch.parent() != *link.parent || patch.result() != link.result)
    throw input_error("{}: leads from {} to {}, and its link says from {} to {}", patch.name(),
                      quant::hash_text(patch.parent()), quant::hash_text(patch.result()),
                      quant::hash_text(*link.parent), quant::hash_text(link.result));
  return patch;
}

std::string file_name(std::string_view kind, uint64_t step, std::string_view ending) {
  return fmt::format("{}-{:08}{}", kind, step, ending);
}

// False if it was interrupted.
bool add_anchor(Chain& chain, const Model& model, const AddOptions& options, AddReport& report) {
  const bool folder = model.layout().needs_folder();
  Link link{true, options.step, file_name("anchor", options.step, folder ? "" : ".safetensors"), 0, {}, {}};
  const AppliedReport written =
      apply(model, std::nullopt, {}, chain.path_of(link) + (folder ? "/" : ""), options.resources);
  if (written.interrupted) return false;
  for (const auto& file : written.files) link.size_bytes += file.size_bytes;
  link.result = written.result;
  chain.add(link);
  report.links.push_back(std::move(link));
  return true;
}

uint64_t patches_since_anchor(const Chain& chain) {
  uint64_t count = 0;
  for (auto link = chain.links().rbegin(); link != chain.links().rend() && !link->is_anchor; ++link) ++count;
  return count;
}

bool wants_anchor(const Chain& chain, const AddOptions& options) {
  return options.anchor || (options.anchor_every && patches_since_anchor(chain) >= *options.anchor_every);
}

void copy_file(const tensorfile::Source& from, const std::string& to) {
  const tensorfile::ByteFile& bytes = *from.files().front().bytes;
  tensorfile::PartFile part(to, false, folder_of(to));
  std::vector<std::byte> block;
  for (uint64_t at = 0; at < bytes.size(); at += block.size()) {
    block.resize(std::min(bytes.size() - at, kCopied));
    bytes.read(at, block);
    part.write(at, block);
  }
  part.sync();
  part.publish(bytes.size());
}

// The hash of the model that a patch makes, by the hashes of the tensors of the one before it and its own;
// `digests` becomes those of the new one.
quant::Digest stated_hash(const PatchFile& patch, std::map<std::string, quant::Digest>& digests) {
  std::map<std::string, quant::Digest> now;
  quant::ModelHash hash;
  for (size_t i = 0; i < patch.layout().tensors.size(); ++i) {
    const tensorfile::TensorInfo& tensor = patch.layout().tensors[i];
    const PatchFile::Entry* entry = patch.entry(i);
    const auto before = digests.find(tensor.name);
    if (entry == nullptr && before == digests.end())
      throw input_error("{}: tensor {} is not in what it is to be applied to", patch.name(),
                        tensorfile::in_quotes(tensor.name));
    const quant::Digest digest = entry != nullptr ? entry->change.result : before->second;
    now.emplace(tensor.name, digest);
    add_tensor(hash, tensor, digest);
  }
  digests = std::move(now);
  return hash.digest();
}

}  // namespace

ChainFiles::ChainFiles(const Chain& chain, const ChainPath& path) {
  if (path.anchor) {
    const Link& link = chain.links()[*path.anchor];
    source_ = std::make_unique<tensorfile::Source>(tensorfile::open_source(chain.path_of(link)));
    anchor_ = std::make_unique<SourceModel>(*source_);
    anchor_hash_ = link.result;
  }
  for (const size_t i : path.patches) patches_.push_back(open_link(chain, chain.links()[i]));
}

std::vector<const PatchFile*> ChainFiles::patches() const {
  std::vector<const PatchFile*> list;
  for (const PatchFile& patch : patches_) list.push_back(&patch);
  return list;
}

PatchedModel ChainFiles::model() const { return PatchedModel(*anchor_, anchor_hash_, patches()); }

AddReport add_model(Chain& chain, const Model& model, const AddOptions& options,
                    const std::function<void(const TensorDiff&)>& report) {
  AddReport result;
  if (chain.links().empty()) {
    result.interrupted = !add_anchor(chain, model, options, result);
    return result;
  }
  const Link& last = chain.links().back();
  if (options.step <= last.step)
    throw usage_error("--step: {} is not above {}, the last one of the chain", options.step, last.step);
  const ChainFiles files(chain, chain.path_to(last.step));
  const PatchedModel base = files.model();
  Link link{false, options.step, file_name("delta", options.step, ".mlqd"), 0, last.result, {}};
  DiffOptions diffing;
  diffing.codec = options.codec;
  diffing.step = options.step;
  diffing.parent = last.result;
  diffing.resources = options.resources;
  result.patch = diff(base, model, chain.path_of(link), diffing, report);
  result.interrupted = result.patch->interrupted;
  if (result.interrupted) return result;
  link.size_bytes = result.patch->out_bytes;
  link.result = result.patch->result;
  chain.add(link);
  result.links.push_back(std::move(link));
  if (wants_anchor(chain, options)) result.interrupted = !add_anchor(chain, model, options, result);
  return result;
}

AddReport add_patch(Chain& chain, const PatchFile& patch, const AddOptions& options) {
  AddReport result;
  if (chain.links().empty())
    throw usage_error("--add: {} is a patch; a chain begins with a model", patch.name());
  const Link last = chain.links().back();
  if (options.step <= last.step)
    throw usage_error("--step: {} is not above {}, the last one of the chain", options.step, last.step);
  if (patch.parent() != last.result)
    throw input_error("{}: is for {}, and the model at step {} is {}", patch.name(),
                      quant::hash_text(patch.parent()), last.step, quant::hash_text(last.result));
  const ChainFiles files(chain, chain.path_to(last.step));
  const PatchedModel base = files.model();
  const PatchedModel next(base, last.result, {&patch});  // types and shapes
  result.interrupted = !check_content(patch, options.resources);
  if (result.interrupted) return result;
  Link link{false,       options.step,  file_name("delta", options.step, ".mlqd"), patch.size_bytes(),
            last.result, patch.result()};
  copy_file(patch.source(), chain.path_of(link));
  chain.add(link);
  result.links.push_back(std::move(link));
  if (wants_anchor(chain, options)) result.interrupted = !add_anchor(chain, next, options, result);
  return result;
}

bool verify_chain(const Chain& chain, const quant::Resources& resources,
                  const std::function<void(const VerifiedLink&)>& report) {
  const std::vector<Link>& links = chain.links();
  const auto verified = [&](const Link& link, const auto& work) {
    VerifiedLink result{&link, {}};
    bool complete = true;
    try {
      complete = work(result.wrong);
    } catch (const Error& error) {
      if (error.kind() != ExitKind::input && error.kind() != ExitKind::environment) throw;
      result.wrong = error.what();
    }
    if (complete) report(result);
    return complete;
  };
  std::map<std::string, quant::Digest> digests;  // of the model before the link
  for (size_t i = 0; i < links.size(); ++i) {
    const bool ends = i + 1 == links.size() || links[i + 1].is_anchor;
    const bool complete = verified(links[i], [&](std::string& wrong) {
      if (links[i].is_anchor) {
        const tensorfile::Source source = tensorfile::open_source(chain.path_of(links[i]));
        const auto hash = hash_tensors(SourceModel(source), resources);
        if (!hash) return false;
        digests = hash->tensors;
        if (hash->model.digest() != links[i].result)
          wrong = fmt::format("it is {}", quant::hash_text(hash->model.digest()));
        return true;
      }
      const PatchFile patch = open_link(chain, links[i]);
      if (!check_content(patch, resources)) return false;
      const quant::Digest stated = stated_hash(patch, digests);
      if (stated != links[i].result) wrong = fmt::format("it makes {}", quant::hash_text(stated));
      if (!ends || !wrong.empty()) return true;
      const ChainFiles files(chain, chain.path_to_link(i));
      const auto made = hash_tensors(files.model(), resources);
      if (!made) return false;
      if (made->model.digest() != links[i].result)
        wrong = fmt::format("with what is before it, it makes {}", quant::hash_text(made->model.digest()));
      return true;
    });
    if (!complete) return false;
  }
  return true;
}

}  // namespace mlq::patch
