#include "lib/tensorfile/shards.h"

#include <algorithm>
#include <optional>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/jsonl/buffer.h"

namespace mlq::tensorfile {
namespace {

// How much of a name is its ending.
size_t ending_size(std::string_view name) {
  for (const std::string_view ending : {".mlq.safetensors", ".safetensors"}) {
    if (name.ends_with(ending)) return ending.size();
  }
  return 0;
}

}  // namespace

std::vector<size_t> cut_into_shards(std::span<const uint64_t> sizes, uint64_t largest_bytes) {
  std::vector<size_t> shard_of(sizes.size());
  std::optional<size_t> filling;  // the shard being filled
  uint64_t filled = 0;            // bytes in it
  std::vector<size_t> order;      // shards as they are closed, which is how they are counted
  size_t made = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] > largest_bytes) {
      order.push_back(shard_of[i] = made++);
      continue;
    }
    if (filling && sizes[i] > largest_bytes - filled) {
      order.push_back(*filling);
      filling.reset();
    }
    if (!filling) {
      filling = made++;
      filled = 0;
    }
    shard_of[i] = *filling;
    filled += sizes[i];
  }
  if (filling) order.push_back(*filling);
  std::vector<size_t> place(made);
  for (size_t k = 0; k < order.size(); ++k) place[order[k]] = k;
  for (size_t& shard : shard_of) shard = place[shard];
  return shard_of;
}

std::string shard_file_name(std::string_view name, size_t index, size_t shards) {
  if (shards <= 1) return std::string(name);
  const size_t ending = ending_size(name);
  const size_t stem = name.size() - ending;
  return fmt::format("{}-{:05}-of-{:05}{}", name.substr(0, stem), index + 1, shards, name.substr(stem));
}

std::string index_file_name(std::string_view name) { return std::string(name) + ".index.json"; }

std::vector<std::string> model_in_folder(std::span<const std::string> names) {
  for (const std::string& first : {index_file_name(kModelFile), std::string(kModelFile)})
    if (std::ranges::find(names, first) != names.end()) return {first};
  std::vector<std::string> files;
  for (const std::string& name : names)
    if (name.ends_with(".safetensors") && !name.starts_with('.')) files.push_back(name);
  std::ranges::sort(files);
  return files;
}

void write_shard_index(const std::string& path, uint64_t total_bytes,
                       std::vector<std::pair<std::string, std::string>> weight_map) {
  std::ranges::sort(weight_map);
  jsonl::Buffer out;
  out.raw("{\n  \"metadata\": {\n    \"total_size\": ");
  out.integer(total_bytes);
  out.raw("\n  },\n  \"weight_map\": {");
  for (size_t i = 0; i < weight_map.size(); ++i) {
    out.raw(i > 0 ? ",\n    " : "\n    ");
    out.string(weight_map[i].first);
    out.raw(": ");
    out.string(weight_map[i].second);
  }
  out.raw("\n  }\n}\n");
  Output output = Output::open(path);
  output.write(out.view());
  output.close();
}

}  // namespace mlq::tensorfile
