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

bool belongs_to_a_model(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json");
}

}  // namespace

ModelFiles::ModelFiles(const std::string& out, const Layout& layout)
    : layout_(layout), name_(out), target_(out) {
  const bool folder = is_folder(out);
  if (layout.needs_folder() && !folder)
    throw usage_error("-o: the model is {} files{}; name a folder, with / at its end", layout.files.size(),
                      layout.index ? " and an index" : "");
  if (folder) begin_folder();
  const std::string prefix = folder ? part_folder_ + "/" : "";
  for (const ModelFile& file : layout.files) {
    auto part = std::make_unique<tensorfile::PartFile>(folder ? prefix + file.name : target_, false,
                                                       std::string(kSpoolFolder));
    part->reserve(file.size_bytes);
    part->write(0, std::as_bytes(std::span(file.header)));
    files_.push_back(std::move(part));
  }
}

ModelFiles::~ModelFiles() {
  files_.clear();
  std::error_code none;
  if (!part_folder_.empty()) fs::remove_all(part_folder_, none);
}

// Whoever had the part folder before may have put it in its place between our opening and our locking it;
// then it is his result, and ours is another.
void ModelFiles::begin_folder() {
  std::error_code error;
  while (name_.size() > 1 && name_.ends_with('/')) name_.pop_back();
  target_ = name_;
  if (fs::is_directory(target_, error)) target_ = fs::canonical(target_, error).string();
  const std::string part = target_ + ".part";
  do {
    fs::create_directories(part, error);
    if (error) fail(part, "cannot make the folder", error);
    lock_ = Fd(::open(part.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!lock_) fail(part, "cannot open", last_error());
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
      throw usage_error("{}: is being written by another process; wait for it or name another folder", part);
  } while (!is_still(lock_.get(), part));
  part_folder_ = part;
  for (const auto& left : fs::directory_iterator(part, error))  // of one that was killed
    fs::remove_all(left.path(), error);
  if (error) fail(part, "cannot be emptied", error);
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

// What is in the old folder and of no model goes into the new one.
void ModelFiles::adopt_others() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(target_, error)) {
    const std::string name = entry.path().filename().string();
    if (belongs_to_a_model(name)) continue;
    if (!entry.is_regular_file(error) || entry.is_symlink(error))
      throw environment_error("{}: is no regular file, and {} would be replaced; write to a new folder",
                              entry.path().string(), target_);
    const std::string to = part_folder_ + "/" + name;
    if (::link(entry.path().c_str(), to.c_str()) != 0 && errno != EEXIST)
      fail(to, "cannot link", last_error());
  }
  if (error) fail(target_, "cannot read", error);
}

void ModelFiles::replace_folder() {
  std::error_code none;
  const bool exchange = fs::is_directory(target_, none);
  if (exchange) adopt_others();
  tensorfile::sync_folder(part_folder_);
  if (::renameat2(AT_FDCWD, part_folder_.c_str(), AT_FDCWD, target_.c_str(),
                  exchange ? RENAME_EXCHANGE : 0) != 0)
    fail(target_, "cannot be put in its place", last_error());
  tensorfile::sync_folder(tensorfile::folder_of(target_));
  if (exchange) fs::remove_all(part_folder_, none);
  part_folder_.clear();
}

}  // namespace mlq::patch
