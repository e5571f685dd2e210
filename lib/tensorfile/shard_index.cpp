#include "lib/tensorfile/shard_index.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/jsonl/damage.h"
#include "lib/jsonl/object.h"
#include "lib/tensorfile/safetensors_header.h"

namespace mlq::tensorfile {
namespace {

std::string whole_text(const ByteFile& file) {
  if (file.size() > kLargestHeader)
    throw input_error("{}: {} bytes are too many for an index; at most {} are read", file.name(), file.size(),
                      kLargestHeader);
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

const jsonl::Value& weight_map_of(const std::string& file, const jsonl::ObjectParser& parser) {
  const jsonl::Value* found = nullptr;
  for (const auto& [key, value] : parser.members()) {
    if (key != "weight_map") continue;
    if (found != nullptr) throw input_error("{}: weight_map stands in it twice; the index is damaged", file);
    found = &value;
  }
  if (found == nullptr || found->kind != jsonl::Kind::object)
    throw input_error("{}: has no weight_map; name a safetensors file, its folder or its index", file);
  return *found;
}

void add(const std::string& file, const jsonl::Member& member, WeightMap& map) {
  const auto& [name, shard] = member;
  if (name.size() > kLongestName)
    throw input_error("{}: tensor {}: a name may have {} bytes; the index is damaged", file, in_quotes(name),
                      kLongestName);
  if (shard.kind != jsonl::Kind::string)
    throw input_error("{}: tensor {}: its file is not a string; the index is damaged", file, in_quotes(name));
  if (!is_plain_name(shard.text)) {
    throw input_error(
        "{}: tensor {}: {} is not the name of a file in the folder of the index; nothing else is read", file,
        in_quotes(name), in_quotes(shard.text));
  }
  map.emplace_back(name, shard.text);
}

std::string_view plain_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

WeightMap read_shard_index(const ByteFile& file) {
  const std::string text = whole_text(file);
  jsonl::ObjectParser parser(kDeepestJson);
  if (!parser.parse_copy(text)) {
    throw input_error("{}: {}{}; the index is damaged", file.name(), parser.error(),
                      jsonl::damage_place(text));
  }
  std::vector<jsonl::Member> members;
  jsonl::read_members(weight_map_of(file.name(), parser), members);
  if (members.empty()) throw input_error("{}: its weight_map is empty; the index is damaged", file.name());
  if (members.size() > kMostTensors)
    throw input_error("{}: {} tensors; at most {} are read", file.name(), members.size(), kMostTensors);
  WeightMap map;
  for (const jsonl::Member& member : members) add(file.name(), member, map);
  std::ranges::sort(map);
  const auto twice = std::ranges::adjacent_find(map, {}, &WeightMap::value_type::first);
  if (twice != map.end())
    throw input_error("{}: tensor {} stands in it twice; the index is damaged", file.name(),
                      in_quotes(twice->first));
  return map;
}

void check_against_index(const std::string& index, const WeightMap& map, const Source& source) {
  const auto& tensors = source.tensors();
  const auto file_of = [&](const TensorInfo& tensor) { return plain_name(source.shard(tensor.shard).file); };
  for (const auto& [name, file] : map) {
    const auto found = source.find(name);
    if (!found)
      throw input_error("{}: tensor {} is not in {}; a file is missing or damaged", index, in_quotes(name),
                        file);
    if (const auto real = file_of(tensors[*found]); real != file)
      throw input_error("{}: tensor {} is in {}, not in {}; the index is damaged", index, in_quotes(name),
                        real, file);
  }
  if (tensors.size() == map.size()) return;
  for (const TensorInfo& tensor : tensors) {
    const auto at = std::ranges::lower_bound(map, tensor.name, {}, &WeightMap::value_type::first);
    if (at == map.end() || at->first != tensor.name)
      throw input_error("{}: tensor {} of {} is not in the index; the index is damaged", index,
                        in_quotes(tensor.name), file_of(tensor));
  }
}

}  // namespace mlq::tensorfile
