#include "lib/simigrad/watch/folder_watch.h"

#include <algorithm>
#include <filesystem>

#include "lib/base/error.h"
#include "lib/tensorfile/source.h"

namespace mlq::simigrad {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> list(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (!at->path().filename().string().starts_with('.') && at->is_regular_file(ignored))
      paths.push_back(at->path().string());
  }
  // A folder below may vanish while it is listed; the next look sees what is left.
  if (error && !fs::is_directory(folder))
    throw environment_error("{}: cannot read: {}", folder, error.message());
  std::sort(paths.begin(), paths.end());
  return paths;
}

template <class T>
void prefer(std::optional<T>& first, const std::optional<T>& second) {
  if (!first) first = second;
}

}  // namespace

FolderWatch::FolderWatch(std::string folder, WatchOptions options, std::optional<StepKey> done)
    : folder_(std::move(folder)), options_(std::move(options)), done_(done) {}

// True if the file has its place, or has none that matters.
bool FolderWatch::place(const std::string& path, File& file, int64_t now_ns) {
  FileFacts facts;
  std::optional<Address> by_path;
  if (options_.dumps.pattern) {
    by_path = options_.dumps.pattern->match(path);
    if (!by_path) return true;
  }
  if (options_.dumps.source.raw) {
    if (now_ns - file.changed_ns < options_.settle_ns) return false;
  } else {
    tensorfile::SourceOptions open = options_.dumps.source;
    open.strided = true;
    facts = facts_of(tensorfile::open_source(path, open).shard(0));
  }
  Address address = by_path.value_or(Address{});
  prefer(address.incarnation, facts.address.incarnation);
  prefer(address.step, facts.address.step);
  prefer(address.group, facts.address.group);
  prefer(address.shard, facts.address.shard);
  if (!address.step || !address.group)
    throw input_error("{}: neither its metadata nor a pattern says its step and group", path);
  const StepKey key(address.incarnation.value_or(0), *address.step);
  if (done_ && key <= *done_) return true;
  Waiting& waiting = waiting_[key];
  if (waiting.files.groups.empty()) {
    waiting.files.incarnation = key.first;
    waiting.files.step = key.second;
    waiting.first_ns = file.first_ns;
  }
  auto& shards = waiting.files.groups[*address.group];
  shards.push_back({path, address.shard.value_or(shards.size())});
  std::sort(shards.begin(), shards.end(),
            [](const GroupFile& a, const GroupFile& b) { return a.shard < b.shard; });
  waiting.last_ns = now_ns;
  prefer(waiting.groups, facts.groups);
  return true;
}

void FolderWatch::look_at(const std::string& path, int64_t now_ns) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error) return;  // it has gone since it was listed
  const auto [at, fresh] = files_.try_emplace(path, File{now_ns, size, now_ns, false});
  File& file = at->second;
  if (file.placed) return;
  if (file.size != size) file.size = size, file.changed_ns = now_ns;
  try {
    file.placed = place(path, file, now_ns);
  } catch (const Error& wrong) {
    // Perhaps it is still being written.
    if (now_ns - file.first_ns < options_.deadline_ns) return;
    file.placed = true;
    refused_.emplace_back(wrong.what());
  }
}

// True if the step is whole, or is waited for no longer.
bool FolderWatch::take(Waiting& waiting, int64_t now_ns, WatchedStep& out) const {
  const uint64_t groups =
      std::max(waiting.groups.value_or(most_groups_), waiting.files.groups.rbegin()->first + 1);
  std::vector<uint64_t> missing;
  for (uint64_t group = 0; group < groups; ++group)
    if (!waiting.files.groups.contains(group)) missing.push_back(group);
  const bool settled = waiting.groups || now_ns - waiting.last_ns >= options_.settle_ns;
  const bool too_late = now_ns - waiting.first_ns >= options_.deadline_ns;
  if (!too_late && !(missing.empty() && settled)) return false;
  for (const uint64_t group : missing) {
    records::MissingGroup record;
    record.step = waiting.files.step;
    record.group = group;
    record.waited_ns = now_ns - waiting.first_ns;
    if (waiting.files.incarnation > 0) record.incarnation = waiting.files.incarnation;
    out.missing.push_back(record);
  }
  out.groups = groups;
  out.files = std::move(waiting.files);
  return true;
}

std::vector<WatchedStep> FolderWatch::look(int64_t now_ns) {
  const std::vector<std::string> paths = list(folder_);
  std::erase_if(files_, [&](const auto& known) {
    return !std::binary_search(paths.begin(), paths.end(), known.first);
  });
  for (const std::string& path : paths) look_at(path, now_ns);
  std::vector<WatchedStep> ready;
  while (!waiting_.empty()) {
    WatchedStep step;
    if (!take(waiting_.begin()->second, now_ns, step)) break;
    done_ = waiting_.begin()->first;
    most_groups_ = std::max(most_groups_, step.groups);
    waiting_.erase(waiting_.begin());
    ready.push_back(std::move(step));
  }
  return ready;
}

}  // namespace mlq::simigrad
