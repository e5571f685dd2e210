#include "lib/patch/model_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "lib/base/error.h"
#include "lib/base/folder.h"
#include "lib/tensorfile/shards.h"

namespace mlq::patch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSpoolFolder = "/var/tmp";

bool is_folder(const std::string& path) {
  std::error_code none;
  return path.ends_with('/') || fs::is_directory(path, none);
}

[[noreturn]] void fail(const std::string& path, std::string_view what, const std::error_code& error) {
  throw environment_error("{}: {}: {}", path, what, error.message());
}

std::error_code last_error() { return {errno, std::generic_category()}; }

bool is_still(int fd, const std::string& path) {
  struct stat ours {};
  struct stat there {};
  return ::fstat(fd, &ours) == 0 && ::lstat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

constexpr std::string_view kWeights = ".safetensors", kIndex = ".index.json";

bool is_of_a_model(std::string_view name) {
  return name.ends_with(kWeights) || name.ends_with(std::string(kWeights) + std::string(kIndex));
}

// A regular file whose content is elsewhere too, or is a model's that was being made.
bool may_go(const fs::directory_entry& entry) {
  std::error_code none;
  if (entry.is_symlink(none) || !entry.is_regular_file(none)) return false;
  std::string name = entry.path().filename().string();
  if (name.ends_with(".part")) name.resize(name.size() - 5);
  return is_of_a_model(name) || entry.hard_link_count(none) > 1;
}

}  // namespace

ModelFiles::ModelFiles(const ModelPlace& place, const Layout& layout)
    : layout_(layout), option_(place.option), name_(place.out) {
  const bool folder = is_folder(name_);
  if (layout.needs_folder() && !folder)
    throw usage_error("{}: the model is {} files{}; name a folder, with / at its end", option_,
                      layout.files.size(), layout.index ? " and an index" : "");
  while (folder && name_.size() > 1 && name_.ends_with('/')) name_.pop_back();
  if (folder && place.base != nullptr) take_place_of(*place.base);
  if (folder) refuse_other_models();
  try {
    begin(folder);
  } catch (...) {
    discard();
    throw;
  }
}

// What the base has in the folder goes if it is the model of that folder, or is named by an index that is
// replaced.
void ModelFiles::take_place_of(const Model& base) {
  std::error_code none;
  const fs::path path(base.name());
  const Layout& layout = base.layout();
  std::string lies_in = base.name();
  if (!fs::is_directory(path, none)) lies_in = path.has_parent_path() ? path.parent_path().string() : ".";
  if (!fs::equivalent(lies_in, name_, none)) return;
  if (lies_in != base.name() && !layout.index) return;  // a file: replaced by its name alone
  std::vector<std::string> names;
  for (const ModelFile& file : layout.files) names.push_back(file.name);
  in_place_ = !layout.index || layout.index->name == tensorfile::index_file_name(tensorfile::kModelFile);
  if (in_place_ || (layout_.index && layout_.index->name == layout.index->name)) {
    if (layout.index) names.push_back(layout.index->name);
    old_ = std::move(names);
    return;
  }
  for (const std::string& name : names)
    if (is_ours(name))
      throw usage_error("{}: {}/{} is a file of the input, and would be replaced; write to another folder",
                        option_, name_, name);
}

void ModelFiles::begin(bool folder) {
  std::error_code error;
  if (layout_.needs_folder() || std::ranges::any_of(old_, [&](const auto& name) { return !is_ours(name); })) {
    begin_folder();
  } else if (folder) {
    fs::create_directories(name_, error);
    if (error) fail(name_, "cannot make the folder", error);
    name_ += "/" + layout_.files[0].name;
  }
  for (const ModelFile& file : layout_.files) {
    auto part = std::make_unique<tensorfile::PartFile>(
        part_folder_.empty() ? name_ : part_folder_ + "/" + file.name, false, std::string(kSpoolFolder));
    part->reserve(file.size_bytes);
    part->write(0, std::as_bytes(std::span(file.header)));
    files_.push_back(std::move(part));
  }
}

bool ModelFiles::is_ours(const std::string& name) const {
  return (layout_.index && layout_.index->name == name) ||
         std::ranges::any_of(layout_.files, [&](const ModelFile& file) { return file.name == name; });
}

bool ModelFiles::goes(const std::string& name) const {
  return is_ours(name) || std::ranges::find(old_, name) != old_.end();
}

void ModelFiles::refuse_neighbour(const std::string& name) const {
  throw usage_error(
      "{}: {}/{} is there, of another model, and loaders could take it for this one or a part of it; remove "
      "it or write to another folder",
      option_, name_, name);
}

// What is in the folder beside the model must not be what loaders would take for it, or for a part of it.
void ModelFiles::refuse_other_models() const {
  std::error_code error;
  std::vector<std::string> names, ours;
  for (const ModelFile& file : layout_.files) ours.push_back(file.name);
  std::ranges::sort(ours);
  names = ours;
  if (layout_.index) names.push_back(layout_.index->name);
  for (const auto& entry : fs::directory_iterator(name_, error))
    if (const std::string name = entry.path().filename().string(); !goes(name)) names.push_back(name);
  const std::vector<std::string> read = tensorfile::model_in_folder(names);
  // A file that is read before all others; where the folder's model is replaced, every one.
  for (const std::string& name : read)
    if (!is_ours(name) && (in_place_ || read.front() == tensorfile::kModelFile || !name.ends_with(kWeights)))
      refuse_neighbour(name);
  const bool by_index = layout_.index && read == std::vector{layout_.index->name};
  if (in_place_ && !by_index && read != ours)
    throw usage_error(
        "{}: the model is to be a file {}, which no loader would look for in a folder; name a file", option_,
        tensorfile::in_quotes(ours.front()));
  for (const std::string& name : names) {
    if (is_ours(name) || !is_of_a_model(name)) continue;
    bool other = layout_.files.size() > 1 && !layout_.index;  // all that is there is read
    for (const ModelFile& file : layout_.files) other |= name == file.name + std::string(kIndex);
    if (layout_.index) other |= name + std::string(kIndex) == layout_.index->name;
    if (other) refuse_neighbour(name);
  }
}

ModelFiles::~ModelFiles() { discard(); }

void ModelFiles::discard() {
  files_.clear();
  if (part_folder_.empty()) return;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(part_folder_, none))
    if (may_go(entry)) fs::remove(entry.path(), none);
  fs::remove(part_folder_, none);
}

// Whoever had the part folder before may have put it in its place between our opening and our locking it;
// then it is his result, and ours is another.
void ModelFiles::begin_folder() {
  std::error_code error;
  target_ = fs::is_directory(name_, error) ? fs::canonical(name_, error).string() : name_;
  if (fs::is_directory(target_, error)) others();  // better known before the work than after it
  const std::string part = target_ + ".part";
  do {
    fs::create_directories(part, error);
    if (error) fail(part, "cannot make the folder", error);
    lock_ = Fd(::open(part.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!lock_) fail(part, "cannot open", last_error());
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
      throw usage_error("{}: is being written by another process; wait for it or name another folder", part);
  } while (!is_still(lock_.get(), part));
  for (const auto& left : fs::directory_iterator(part, error)) {  // of one that was killed
    if (!may_go(left))
      throw usage_error("{}: is in the way; move it or name another folder", left.path().string());
    fs::remove(left.path(), error);
  }
  if (error) fail(part, "cannot be emptied", error);
  part_folder_ = part;
}

void ModelFiles::write(size_t tensor, uint64_t offset, std::span<const std::byte> bytes) {
  const tensorfile::TensorInfo& info = layout_.tensors[tensor];
  files_[info.shard]->write(info.file_offset + offset, bytes);
}

void ModelFiles::sync() {
  for (auto& file : files_) file->sync();
}

std::vector<std::string> ModelFiles::publish() {
  std::vector<std::string> paths;
  for (size_t i = 0; i < files_.size(); ++i) {
    files_[i]->publish(layout_.files[i].size_bytes);
    paths.push_back(part_folder_.empty() ? name_ : name_ + "/" + layout_.files[i].name);
  }
  if (part_folder_.empty()) return paths;
  if (layout_.index) {
    tensorfile::PartFile index(part_folder_ + "/" + layout_.index->name, false, std::string(kSpoolFolder));
    index.write(0, std::as_bytes(std::span(layout_.index->text)));
    index.sync();
    index.publish(layout_.index->text.size());
  }
  replace_folder();
  return paths;
}

// What is in the old folder and is not replaced is in the new one too.
void ModelFiles::adopt_others() const {
  for (const fs::path& path : others()) {
    const std::string to = part_folder_ + "/" + path.filename().string();
    if (::link(path.c_str(), to.c_str()) != 0) fail(to, "cannot link", last_error());
  }
}

// An environment Error for what has no second name.
std::vector<fs::path> ModelFiles::others() const {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(target_, error)) {
    if (goes(entry.path().filename().string())) continue;
    if (!entry.is_regular_file(error) || entry.is_symlink(error))
      throw environment_error("{}: is no regular file, and {} would be replaced; write to a new folder",
                              entry.path().string(), target_);
    paths.push_back(entry.path());
  }
  if (error) fail(target_, "cannot read", error);
  return paths;
}

// The old folder goes, but for what somebody has put there in the meantime: that moves into the new one.
void ModelFiles::remove_old() {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(part_folder_, none)) {
    const std::string name = entry.path().filename().string(), to = target_ + "/" + name;
    if (goes(name) || entry.hard_link_count(none) > 1)
      fs::remove(entry.path(), none);
    else
      ::renameat2(AT_FDCWD, entry.path().c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  }
  fs::remove(part_folder_, none);
}

void ModelFiles::replace_folder() {
  std::error_code none;
  const bool exchange = fs::is_directory(target_, none);
  if (exchange) adopt_others();
  sync_folder(part_folder_);
  if (::renameat2(AT_FDCWD, part_folder_.c_str(), AT_FDCWD, target_.c_str(),
                  exchange ? RENAME_EXCHANGE : 0) != 0)
    fail(target_, "cannot be put in its place", last_error());
  sync_folder(folder_of(target_));
  if (exchange) remove_old();
  part_folder_.clear();
}

}  // namespace mlq::patch
