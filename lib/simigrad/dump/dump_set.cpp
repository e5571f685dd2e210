#include "lib/simigrad/dump/dump_set.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <limits>
#include <set>

#include "kernels/gram_block.h"
#include "lib/base/error.h"

namespace mlq::simigrad {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kEndings = {".safetensors", ".npy", ".pt", ".pth"};

bool looks_like_a_dump(std::string_view name) {
  if (name.ends_with(".zst")) name.remove_suffix(4);
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return name.ends_with(ending); });
}

// The files under `folder`, in byte order.
std::vector<std::string> files_under(const std::string& folder, const DumpOptions& options) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    const std::string path = at->path().string();
    if (at->path().filename().string().starts_with('.') || !at->is_regular_file(ignored)) continue;
    const bool wanted = options.pattern ? options.pattern->match(path).has_value()
                                        : options.source.raw || looks_like_a_dump(path);
    if (wanted) files.push_back(path);
  }
  if (error) throw environment_error("{}: cannot read: {}", folder, error.message());
  if (files.empty() && options.pattern)
    throw input_error("{}: no file in it is like the pattern {}", folder, options.pattern->text());
  if (files.empty())
    throw input_error(
        "{}: no .safetensors, .npy, .pt or .pth file is in it; name the files, or give --pattern", folder);
  std::ranges::sort(files);
  return files;
}

uint64_t read_natural(const std::string& file, std::string_view key, std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    throw input_error("{}: __metadata__: {} is {}, no whole number from 0 on", file, key,
                      tensorfile::in_quotes(text));
  return value;
}

double read_scale(const std::string& file, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value > 0) ||
      value > std::numeric_limits<double>::max())
    throw input_error("{}: __metadata__: mlq.loss_scale is {}, no finite number above 0", file,
                      tensorfile::in_quotes(text));
  return value;
}

struct Found {
  std::string path;
  Address address;
};

// Both say the same, or one says it.
void join(const std::string& path, std::string_view what, std::optional<uint64_t>& of_path,
          const std::optional<uint64_t>& of_file) {
  if (of_path && of_file && *of_path != *of_file)
    throw input_error("{}: its path says {} {}, its metadata {}; rename it or leave --pattern out", path,
                      what, *of_path, *of_file);
  if (!of_path) of_path = of_file;
}

Address address_of(const std::string& path, const DumpOptions& options) {
  Address address;
  if (options.pattern) {
    const auto match = options.pattern->match(path);
    if (!match) throw input_error("{}: is not like the pattern {}", path, options.pattern->text());
    address = *match;
  }
  if (address.step && address.group) return address;
  tensorfile::SourceOptions open = options.source;
  open.strided = true;
  const tensorfile::Source source = tensorfile::open_source(path, open);
  const Address inside = facts_of(source.shard(0)).address;
  join(path, "incarnation", address.incarnation, inside.incarnation);
  join(path, "step", address.step, inside.step);
  join(path, "group", address.group, inside.group);
  join(path, "shard", address.shard, inside.shard);
  return address;
}

// Files that nothing is known of are groups, in the order in which they were named.
void number_groups(std::vector<Found>& found, size_t named) {
  const auto unknown = [](const Found& each) { return !each.address.step && !each.address.group; };
  if (named != found.size() || !std::ranges::all_of(found, unknown)) return;
  for (size_t i = 0; i < found.size(); ++i) {
    found[i].address.step = 0;
    found[i].address.group = i;
  }
}

void refuse_unknown(const Found& each) {
  for (const auto& [what, number] : {std::pair("step", each.address.step), {"group", each.address.group}}) {
    if (number) continue;
    throw input_error(
        "{}: neither its metadata nor a pattern says its {}; give --pattern, such as "
        "'step{{step}}/group{{group}}.safetensors'",
        each.path, what);
  }
}

// Shards by their number; those without one in the order of their paths.
void order_shards(const StepFiles& step, uint64_t group, std::vector<Found>& files,
                  std::vector<GroupFile>& out) {
  const auto numbered =
      std::ranges::count_if(files, [](const Found& f) { return f.address.shard.has_value(); });
  if (numbered != 0 && static_cast<size_t>(numbered) != files.size())
    throw input_error("step {}, group {}: some files have the number of a shard and {} has none", step.step,
                      group,
                      std::ranges::find_if(files, [](const Found& f) { return !f.address.shard; })->path);
  std::ranges::sort(files, {}, [](const Found& f) { return std::pair(f.address.shard, f.path); });
  for (size_t i = 0; i < files.size(); ++i) {
    const uint64_t shard = files[i].address.shard.value_or(i);
    if (!out.empty() && out.back().shard == shard)
      throw input_error("{}: is shard {} of step {}, group {}, and so is {}", files[i].path, shard, step.step,
                        group, out.back().path);
    out.push_back({files[i].path, shard});
  }
}

}  // namespace

FileFacts facts_of(const tensorfile::Shard& shard) {
  FileFacts facts;
  for (const auto& [key, number] : {std::pair("mlq.incarnation", &facts.address.incarnation),
                                    {"mlq.step", &facts.address.step},
                                    {"mlq.group", &facts.address.group},
                                    {"mlq.shard", &facts.address.shard},
                                    {"mlq.groups", &facts.groups},
                                    {"mlq.samples", &facts.samples}}) {
    const auto at = shard.metadata.find(key);
    if (at != shard.metadata.end()) *number = read_natural(shard.file, key, at->second);
  }
  if (facts.samples == 0U)
    throw input_error("{}: __metadata__: mlq.samples is 0; a group has 1 sample or more", shard.file);
  const auto scale = shard.metadata.find("mlq.loss_scale");
  if (scale != shard.metadata.end()) facts.loss_scale = read_scale(shard.file, scale->second);
  return facts;
}

DumpSet find_dumps(const std::vector<std::string>& paths, const DumpOptions& options) {
  std::vector<std::string> files;
  size_t named = 0;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      for (std::string& file : files_under(path, options)) files.push_back(std::move(file));
    } else {
      files.push_back(path);
      ++named;
    }
  }
  std::set<fs::path> seen;
  std::vector<Found> found;
  for (const std::string& file : files) {
    if (!seen.insert(fs::absolute(file).lexically_normal()).second)
      throw input_error("{}: is named twice", file);
    found.push_back({file, address_of(file, options)});
  }
  number_groups(found, named);

  std::map<std::pair<uint64_t, uint64_t>, std::map<uint64_t, std::vector<Found>>> steps;
  for (Found& each : found) {
    refuse_unknown(each);
    const Address& at = each.address;
    if (*at.group >= kernels::kMostGramGroups)
      throw input_error("{}: is of group {}; groups are numbered from 0, and there are {} at most", each.path,
                        *at.group, kernels::kMostGramGroups);
    steps[{at.incarnation.value_or(0), *at.step}][*at.group].push_back(std::move(each));
  }
  DumpSet set;
  for (auto& [key, groups] : steps) {
    StepFiles step{key.first, key.second, {}};
    for (auto& [group, shards] : groups) {
      order_shards(step, group, shards, step.groups[group]);
      set.groups = std::max(set.groups, group + 1);
    }
    set.steps.push_back(std::move(step));
  }
  return set;
}

}  // namespace mlq::simigrad
